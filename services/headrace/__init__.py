"""Headrace: live video ingest and transcoding in which any transcoder may die without a viewer noticing."""

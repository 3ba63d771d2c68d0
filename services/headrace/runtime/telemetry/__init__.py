"""Logs and metrics of a process.

Law: a peer cannot make us log more than once a second for the same reason, and no secret reaches either.
"""

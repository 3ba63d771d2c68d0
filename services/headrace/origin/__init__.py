"""The origin: follows runs in the live log and serves them over HTTP as HLS.

Law: caches only; any origin answers any request with the same bytes, because playlists are folded from the log.
Neighbours: `livelog` (what it reads), `core.hls` (the fold and the text).
"""

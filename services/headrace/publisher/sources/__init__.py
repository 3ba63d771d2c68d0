"""Sources of media: a file, and the demo's picture.

Law: the only place outside the transcoder's worker that touches FFmpeg.
"""

"""The transcoder: takes runs from edges, encodes each in a process of its own, and writes the log.

Law: media is decoded only in the worker, the log is written only by the supervisor. A worker that dies takes one call
with it and nothing else. Neighbours: `wire` brings the frames, `livelog` takes the parts.
"""

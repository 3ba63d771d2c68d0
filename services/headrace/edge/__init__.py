"""The edge: terminates RTMP, asks control, puts media on the run's timeline, forwards and remembers it.

Law: nothing here outlives a connection, and any pod will do. Neighbours: control and transcoders, over `wire` only.
"""

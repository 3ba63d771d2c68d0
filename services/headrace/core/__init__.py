"""The pure heart of Headrace: bytes in, typed events out.

Law: the standard library only; no I/O, no clock, no randomness, no tasks, no logging. Time and random bytes are
arguments. Neighbours: everything above imports this; it imports nothing above.
"""

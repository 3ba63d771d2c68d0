"""The live log: a run's entries and the bytes of its parts, for the live window.

Law: whoever holds a run's fence writes; everybody reads what is published and nothing else. `base` says what a log is,
`memory` keeps one in this process. Neighbours: `wire.log` gives entries their bytes.
"""

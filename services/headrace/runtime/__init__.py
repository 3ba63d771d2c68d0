"""Plumbing that knows no service: tasks, time, configuration, life and death of a process, probes, telemetry.

Law: nothing here names an edge, a transcoder, an origin or control.
"""

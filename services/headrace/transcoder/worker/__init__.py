"""The worker: one run's decoder, scalers, encoders and packagers, in a process of its own.

Law: it reads frames from its pipe and writes parts to it; it knows no network, no log and no clock. Whatever fails in
it ends the process: its supervisor turns that into the end of one call.
"""

"""What control decides, as pure functions.

Law: imports only `core`; time and chance are arguments. Neighbours: `sessions`, `endings` and `fleet` ask.
"""

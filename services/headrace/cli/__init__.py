"""`headrace`: the command line.

Law: a person reads what it prints; what goes wrong is one sentence and an exit code, never a traceback.
"""

from headrace.cli.main import main

__all__ = ["main"]

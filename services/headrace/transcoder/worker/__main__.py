"""`python -m headrace.transcoder.worker FD`: started by the supervisor, which left its pipe open as FD."""

import sys

from headrace.transcoder.worker.main import main

main(int(sys.argv[1]))

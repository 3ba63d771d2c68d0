"""`headrace up`: all four services in one process on one machine.

Law: composes, and knows nothing that the services do not offer to any other process: gRPC over Unix sockets, one live
log in memory, one HTTP port. Neighbours: every `<service>.service`, and `publisher` for the demo.
"""

"""Control: streams and their keys, runs, sessions, allocation, the fleet, and the console.

Law: the database holds changes of state, never reports or per-stream health; the fleet is soft state in memory; HTTP
and gRPC are skins over `registry` and `sessions`. Neighbours: edges ask it over `wire.control`, the live log tells
origins which run is the newest.
"""

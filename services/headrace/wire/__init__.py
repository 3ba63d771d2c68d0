"""The only place where protobuf and the domain meet.

Law: services import `media`, `control`, `log`, `types` and `channel` from here and never see a protobuf class; what the
peer sent is either a valid domain value or a WireError. Neighbours: `proto/` says what goes over the wire, `v1` is
generated from it.
"""

"""The edge's metrics, declared once."""

from headrace.runtime.telemetry.metrics import Counter, Gauge

CONNECTIONS = Gauge("headrace_edge_connections", "Open RTMP connections")
PUBLISHERS = Gauge("headrace_edge_publishers", "Accepted publishers")
RECEIVED = Counter("headrace_edge_received_bytes", "Bytes read from publishers")
FRAMES = Counter("headrace_edge_frames", "Access units put on a timeline", ["kind"])
DROPPED = Counter("headrace_edge_dropped_frames", "Access units dropped", ["reason"])
REFUSED = Counter("headrace_edge_refused_publishes", "Publishes refused or broken off by this side", ["reason"])
CLOSED = Counter("headrace_edge_closed_connections", "RTMP connections closed", ["reason"])
NOISE = Counter("headrace_edge_peer_noise", "Oddities of publishers that were tolerated", ["kind"])
REPAIRS = Counter("headrace_edge_timestamp_repairs", "Timestamps that had to be moved")
HELD = Gauge("headrace_edge_held_bytes", "Media held until it is durable")
PAUSES = Counter("headrace_edge_read_pauses", "Times a publisher's socket was not read because its buffer was full")
BATCHES = Counter("headrace_edge_batches", "Batches of frames sent to transcoders")
RENEWALS = Counter("headrace_edge_renewals", "Sessions for which control was asked to renew the lease", ["outcome"])

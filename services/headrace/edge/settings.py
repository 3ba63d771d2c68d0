"""What an edge can be told."""

from pydantic import Field

from headrace.runtime.config import PodSettings


class EdgeSettings(PodSettings):
    """Settings of the edge service."""

    service = "edge"

    rtmp_host: str = "0.0.0.0"
    """Address to take publishers on."""
    rtmp_port: int = Field(default=1935, ge=0, le=65_535)
    """Port to take publishers on; 0 takes a free one."""
    control_target: str = "127.0.0.1:7070"
    """gRPC targets of control's replicas, separated by commas: a name counts for all its addresses. Any of them is
    asked; each is told once a second what this pod is and does."""
    replay_bytes: int = 32 * 1024 * 1024
    """What one publisher's media may hold in memory here, bytes."""
    buffers_bytes: int = 0
    """What all publishers' media may hold, bytes; 0: half of the memory this process may use."""

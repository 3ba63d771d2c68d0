"""What `headrace up` is told."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port (0: a free one)."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UpSettings:
    """Where to keep data and where to listen; `demo` publishes a stream of its own."""

    data: Path = Path(".headrace")
    rtmp: Address = Address("127.0.0.1", 1935)
    http: Address = Address("127.0.0.1", 8080)
    demo: bool = False

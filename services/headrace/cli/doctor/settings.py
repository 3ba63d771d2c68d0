"""What the doctor is told: the services' own variables, as far as it needs them.

Law: read once; whatever is not set is not looked at, and said to be skipped. The classes that they are taken from say
what they mean.
"""

from dataclasses import dataclass
from pathlib import Path

from headrace.livelog.settings import LogSettings
from headrace.runtime.config import Settings
from headrace.runtime.tls import TlsSettings

DEFAULT_API = "http://127.0.0.1:{port}"


class DoctorSettings(Settings):
    """`HEADRACE_*` variables that belong to several services."""

    http_port: int = 8080
    """Where control's API is, on this machine."""

    database_url: str = ""
    """Control's database; empty: that of the data directory, if there is one."""

    control_target: str = ""
    """gRPC targets of control's replicas, separated by commas."""

    public_rtmp_url: str = ""
    """Where encoders publish; empty: what the API says."""

    public_http_url: str = ""
    """Where players reach the origin; empty: what the API says."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything that a run of the doctor's goes by."""

    api: str
    api_key: str
    data: Path
    rtmp: str
    origin: str
    settings: DoctorSettings
    log: LogSettings
    tls: TlsSettings

    @property
    def database_url(self) -> str:
        """The database; "" where nobody says which."""
        if self.settings.database_url:
            return self.settings.database_url
        file = self.data / "headrace.db"
        return f"sqlite+aiosqlite:///{file.absolute()}" if file.exists() else ""

    @property
    def control_targets(self) -> list[str]:
        """Where control's replicas are dialled: who listens everywhere is here."""
        targets = (target.strip() for target in self.settings.control_target.split(","))
        return [_here(target) for target in targets if target]


def _here(target: str) -> str:
    host, colon, port = target.rpartition(":")
    return f"127.0.0.1{colon}{port}" if host in ("0.0.0.0", "[::]") else target

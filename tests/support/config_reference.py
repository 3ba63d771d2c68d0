"""`docs/reference/config.md`, made from the settings classes: `make config-reference` writes it.

Law: what a setting is, means and defaults to is said once, in its class. Neighbours: `tests/architecture` sees that the
file is current.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from headrace.cli.doctor.settings import DoctorSettings
from headrace.control.settings import ControlSettings
from headrace.edge.settings import EdgeSettings
from headrace.livelog.settings import LogSettings
from headrace.origin.settings import OriginSettings
from headrace.runtime.config import PREFIX, Settings
from headrace.runtime.process import HttpSettings
from headrace.runtime.telemetry.settings import LogFormatSettings, TelemetrySettings
from headrace.runtime.tls import TlsSettings
from headrace.transcoder.settings import TranscoderSettings
from headrace.wire.reflection import GrpcSettings
from tests.support.house import REPO

FILE = REPO / "docs" / "reference" / "config.md"
TYPES = {int: "integer", float: "number", str: "text", bool: "`true` or `false`", SecretStr: "text, secret"}
HEAD = """\
# Configuration

<!-- Made from the settings classes by `make config-reference`: do not edit. -->

A service is told what it needs by environment variables and nothing else; they are read once, at its start. What cannot
be is one sentence on standard error and exit code 2. `headrace up` sets addresses, paths and keys by itself and takes
everything else from the same variables. Units are in the names: `_s` seconds, `_ms` milliseconds, `_bytes` bytes.
"""


class Section(NamedTuple):
    """A settings class: its heading, and who reads it."""

    title: str
    intro: str
    settings: type[Settings]


SECTIONS = (
    Section(
        "Every service",
        "Read by `python -m headrace.edge`, `.transcoder`, `.origin`, `.control`; `headrace up` has options instead.",
        HttpSettings,
    ),
    Section(
        "TLS between the services",
        "Read by every service that serves or dials gRPC at a `host:port`; see [Certificates between the services]"
        "(../how-to/mutual-tls.md).",
        TlsSettings,
    ),
    Section("gRPC", "Read by control and transcoders.", GrpcSettings),
    Section("Telemetry", "Read by every service, and by `headrace up`.", TelemetrySettings),
    Section(
        "Logs",
        "Read by every service and by `headrace up`; see [Reading the logs](../how-to/logs.md).",
        LogFormatSettings,
    ),
    Section("The live log", "Read by transcoder, origin and control.", LogSettings),
    Section("Edge", "`python -m headrace.edge`", EdgeSettings),
    Section("Transcoder", "`python -m headrace.transcoder`", TranscoderSettings),
    Section("Origin", "`python -m headrace.origin`", OriginSettings),
    Section("Control", "`python -m headrace.control`", ControlSettings),
    Section(
        "Doctor",
        "`headrace doctor`; those of the live log and of TLS, too, and it compares the settings of control.",
        DoctorSettings,
    ),
)


def reference(sections: Sequence[Section] = SECTIONS) -> str:
    """The whole file."""
    return "\n".join([HEAD, *(line for section in sections for line in _lines(section))])


def _lines(section: Section) -> Iterator[str]:
    yield f"## {section.title}\n\n{section.intro}\n"
    yield "| variable | type | default | meaning |\n|---|---|---|---|"
    for name, field in section.settings.model_fields.items():
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        yield f"| `{PREFIX}{name.upper()}` | {_type(field)} | {_default(field)} | {meaning} |"
    yield ""


def _type(field: FieldInfo) -> str:
    kind = field.annotation
    if kind in TYPES:
        return TYPES[kind]
    if kind in (Path, Path | None):
        return "path"
    if get_origin(kind) is Literal:
        return ", ".join(f"`{one}`" for one in get_args(kind))
    raise TypeError(f"say in TYPES how {kind} is called")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    default = field.get_default(call_default_factory=True)
    return "none" if default in ("", None) else f"`{default}`"


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(reference())

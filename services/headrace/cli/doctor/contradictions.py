"""Settings that contradict each other, or that no installation of several machines should have.

Law: pure: settings in, results out. What one class can see by itself its validators refuse at the start.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from headrace.cli.doctor.results import Result, failure, ok, warning
from headrace.cli.doctor.settings import Asked
from headrace.control.settings import ControlSettings
from headrace.livelog.settings import LogSettings
from headrace.runtime.local import is_local


def contradictions(asked: Asked, control: ControlSettings) -> list[Result]:
    """All that is found; `control`: control's settings as this environment has them."""
    found = [*_log(asked.log), *_tls(asked), *_public(asked, control), *_control(asked, control)]
    return found or [ok("settings", "environment", "nothing contradicts anything")]


def _log(log: LogSettings) -> Iterator[Result]:
    for cell in log.cells:
        name = f"HEADRACE_LOG_CELLS {cell.name}".strip()
        if len(cell.hosts) > 1 and not cell.cluster and not log.log_replicas:
            wrong = "what the primary has not given to a replica yet counts as durable, and goes with the primary"
            yield warning(
                "settings", name, "several hosts, and HEADRACE_LOG_REPLICAS=0", wrong, "set HEADRACE_LOG_REPLICAS"
            )
        if not cell.cluster and log.log_replicas >= len(cell.hosts):
            seen = f"{len(cell.hosts)} hosts, and HEADRACE_LOG_REPLICAS={log.log_replicas}"
            wrong = "a replica that becomes the primary is not found, unless a name stands for several"
            yield warning("settings", name, seen, wrong, "name every host of the cell")
        away = [str(host) for host in cell.hosts if not is_local(host.host)]
        if cell.access.tls is None and away:
            wrong = "passwords and all media cross the network in clear"
            yield warning("settings", name, f"plaintext to {', '.join(away)}", wrong, "use rediss://")


def _tls(asked: Asked) -> Iterator[Result]:
    tls, files = asked.tls, (asked.tls.tls_certificate, asked.tls.tls_key, asked.tls.tls_authority)
    if tls.plaintext and any(files):
        wrong = "no service starts with both"
        yield failure(
            "settings", "HEADRACE_PLAINTEXT", "true, and certificates are named", wrong, "drop one of the two"
        )
    elif any(files) and not all(files):
        wrong = "no service starts with some of them"
        yield failure("settings", "HEADRACE_TLS_*", "one or two of three files", wrong, "name all three")
    elif tls.plaintext and any(not is_local(_host(target)) for target in asked.control_targets):
        wrong = "whoever reaches a port may do everything there"
        yield warning("settings", "HEADRACE_PLAINTEXT", "true", wrong, "give services certificates")


def _public(asked: Asked, control: ControlSettings) -> Iterator[Result]:
    if is_local(urlsplit(asked.api).hostname or "") and not asked.settings.control_target:
        return  # `headrace up`, for itself
    for name, url in (
        ("HEADRACE_PUBLIC_RTMP_URL", control.public_rtmp_url),
        ("HEADRACE_PUBLIC_HTTP_URL", control.public_http_url),
    ):
        if name.removeprefix("HEADRACE_").lower() in control.model_fields_set and url.endswith("/"):
            yield warning("settings", name, url, "URLs that are made of it have two slashes", "drop the last slash")
        if is_local(urlsplit(url).hostname or "") and not all(is_local(_host(each)) for each in asked.control_targets):
            wrong = "encoders and players on other machines are sent to themselves"
            yield warning("settings", name, url, wrong, "name the address that is reached from outside")


def _control(asked: Asked, control: ControlSettings) -> Iterator[Result]:
    if asked.settings.database_url.startswith("sqlite") and len(asked.control_targets) > 1:
        wrong = "each replica of control has streams of its own"
        yield failure("settings", "HEADRACE_DATABASE_URL", "SQLite, and several replicas", wrong, "use PostgreSQL")
    if control.lease_s <= control.fleet_silence_s:
        seen = f"HEADRACE_LEASE_S={control.lease_s:g}, HEADRACE_FLEET_SILENCE_S={control.fleet_silence_s:g}"
        wrong = "a session's lease ends before anybody has seen that its edge is silent"
        yield failure("settings", "HEADRACE_LEASE_S", seen, wrong, "make leases several times as long")
    if control.idle_s >= control.lease_s:
        seen = f"HEADRACE_IDLE_S={control.idle_s:g}, HEADRACE_LEASE_S={control.lease_s:g}"
        wrong = "a publisher who comes back is refused for as long as the old one's lease"
        yield warning("settings", "HEADRACE_IDLE_S", seen, wrong, "make it a few seconds")


def _host(target: str) -> str:
    return "" if target.startswith("unix:") else target.rpartition(":")[0]

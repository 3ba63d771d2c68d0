"""Every check of a run, in two rounds: what the API tells, then all that is known to be there from it.

Law: composition: who asks what. What is not set is skipped by name.
"""

import resource
import shutil
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from urllib.parse import urlsplit

from headrace.cli.api import ApiError
from headrace.cli.doctor import certificates, database, fleet, log, machine, playlists, reaching
from headrace.cli.doctor.api import Api, Fleet, Streams
from headrace.cli.doctor.certificates import Server
from headrace.cli.doctor.contradictions import contradictions
from headrace.cli.doctor.grpc_trust import trust_of_doctor
from headrace.cli.doctor.results import Result, failure, ok, skipped, warning
from headrace.cli.doctor.running import Check, run_all
from headrace.cli.doctor.settings import Asked
from headrace.control.db import DatabaseError
from headrace.control.db.looking import Looked, look
from headrace.control.settings import ControlSettings
from headrace.runtime.aio.clock import unix_ms
from headrace.runtime.config import BadSetting
from headrace.wire.identity import Role

MOST_PODS = 100  # transcoders that are dialled from here


class Told:
    """What the first round learned; None where it could not."""

    fleet: Fleet | None = None
    streams: Streams | None = None
    database: Looked | None = None


async def examine(asked: Asked, ours: str, control: ControlSettings, within_s: float) -> list[Result]:
    """All checks; each has `within_s`."""
    told = Told()
    async with Api(asked.api, asked.api_key) as api:
        first: dict[str, Check] = {
            "reach": partial(_ready, api),
            "pods": partial(_fleet, api, told),
            "streams": partial(_streams, api, told),
            "database": partial(_database, asked.database_url, told),
        }
        found = await run_all(first, within_s)
    return [*found, *await run_all(_second(asked, told, ours, control), within_s)]


def _second(asked: Asked, told: Told, ours: str, control: ControlSettings) -> dict[str, Check]:
    checks: dict[str, Check] = {}
    streams = told.streams
    origin = asked.origin or (_base(streams.hls_url) if streams else "")
    edge = asked.rtmp or (streams.rtmp_url if streams else "")
    checks["edge"] = _or_skip(edge, partial(_one, reaching.edge, edge), "edge", "no RTMP URL is known: use --rtmp")
    checks["origin"] = _or_skip(
        origin, partial(_one, reaching.http, "origin", origin), "origin", "no origin is known: use --origin"
    )
    checks["grpc"] = partial(_grpc, asked, told.fleet)
    checks["certificates"] = partial(_certificates, asked, told)
    for cell in asked.log.cells:
        checks[f"log {cell.name}"] = partial(log.cell, cell, asked.log.log_replicas)
    if not asked.log.cells:
        checks["log"] = _skip("log", "cells", "HEADRACE_LOG_CELLS is not set")
    if told.fleet is not None:
        checks["fleet"] = partial(_verdicts, told.fleet, told.database, ours)
    if streams is not None:
        checks["playlists"] = partial(playlists.look, streams, asked.origin)
    checks["settings"] = partial(_settings, asked, control)
    checks["machine"] = partial(_machine, asked)
    return checks


# The first round


async def _ready(api: Api) -> list[Result]:
    try:
        why = await api.ready()
    except ApiError as error:
        wrong = "control's API is not reached from here"
        return [failure("reach", "control", str(error), wrong, "is control running, and is --api its address?")]
    if why:
        wrong = "control takes no new work"
        return [warning("reach", "control", f"{api.url}: {why}", wrong, "see what it says")]
    return [ok("reach", "control", f"{api.url} is ready")]


async def _fleet(api: Api, told: Told) -> list[Result]:
    try:
        told.fleet = await api.fleet()
    except ApiError as error:
        return [failure("pods", "fleet", str(error), "nothing is known of the pods", "see what it says, and --api-key")]
    return []


async def _streams(api: Api, told: Told) -> list[Result]:
    try:
        told.streams = await api.streams()
    except ApiError as error:
        return [failure("playlists", "streams", str(error), "nothing is known of streams", "see what it says")]
    return []


async def _database(url: str, told: Told) -> list[Result]:
    if not url:
        return [skipped("migrations", "database", "HEADRACE_DATABASE_URL is not set, and there is no data directory")]
    try:
        told.database = await look(url)
    except DatabaseError as error:
        wrong = "control cannot take publishes, or will not start again"
        return [failure("reach", "database", str(error), wrong, "see what it says, and docs/how-to/postgresql.md")]
    return [database.way(told.database), database.schema(told.database)]


# The second round


async def _grpc(asked: Asked, seen: Fleet | None) -> Sequence[Result]:
    try:
        trust = trust_of_doctor(asked.tls)
    except BadSetting as error:
        wrong = "no gRPC port can be dialled as a service dials it"
        return [failure("reach", "grpc", str(error), wrong, "see what it says")]
    checks: dict[str, Check] = {
        target: partial(_one, reaching.grpc, "control gRPC", target, Role.CONTROL, trust)
        for target in asked.control_targets
    }
    pods = [] if seen is None else [pod for pod in seen.pods if pod.kind == "transcoder"]
    for pod in pods[:MOST_PODS]:
        checks[pod.pod] = partial(_one, reaching.grpc, pod.pod, pod.target, Role.TRANSCODER, trust)
    found = await run_all(checks, reaching.ANSWER_S + 1)
    if not asked.control_targets:
        found.append(skipped("reach", "control gRPC", "HEADRACE_CONTROL_TARGET is not set"))
    if len(pods) > MOST_PODS:
        found.append(skipped("reach", "transcoders", f"all but the first {MOST_PODS}"))
    return found


async def _certificates(asked: Asked, told: Told) -> Sequence[Result]:
    now_s = unix_ms() / 1000
    found: list[Result] = []
    for name, path in _files(asked):
        found += certificates.file(name, path, now_s)
    servers = {
        f"{server.name} {server.host}:{server.port}": partial(certificates.shown, server, now_s)
        for server in _servers(asked, told)
    }
    found += await run_all(servers, certificates.SHOW_S + 1)
    return found or [skipped("certificates", "", "no TLS is set up here")]


def _files(asked: Asked) -> list[tuple[str, str]]:
    tls = asked.tls
    found = [
        ("HEADRACE_TLS_CERTIFICATE", str(tls.tls_certificate or "")),
        ("HEADRACE_TLS_AUTHORITY", str(tls.tls_authority or "")),
    ]
    for cell in asked.log.cells:
        if cell.access.tls is not None:
            found += [
                ("log's authority", cell.access.tls.authority),
                ("log's certificate", cell.access.tls.certificate),
            ]
    return [(name, path) for name, path in dict.fromkeys(found) if path]


def _servers(asked: Asked, told: Told) -> list[Server]:
    found: list[Server] = []
    tls = asked.tls
    if tls.tls_certificate and tls.tls_key and tls.tls_authority:
        ours = (str(tls.tls_authority), str(tls.tls_certificate), str(tls.tls_key))
        targets = [("control", target, Role.CONTROL) for target in asked.control_targets]
        pods = told.fleet.pods if told.fleet else ()
        targets += [(pod.pod, pod.target, Role.TRANSCODER) for pod in pods if pod.kind == "transcoder"]
        for name, target, role in targets[:MOST_PODS]:
            host, _, port = target.rpartition(":")
            if not target.startswith("unix:") and port.isdigit():
                found.append(Server(name, host.strip("[]"), int(port), *ours, role=role))
    for cell in asked.log.cells:
        if (files := cell.access.tls) is not None:
            found += [Server("log", host.host, host.port, *files) for host in cell.hosts]
    if told.database is not None or asked.database_url:
        found += certificates.of_database(asked.database_url)
    for name, url in (("control", asked.api), ("origin", asked.origin), ("edge", asked.rtmp)):
        parts = urlsplit(url)
        if parts.scheme in ("https", "rtmps") and parts.hostname:
            found.append(Server(name, parts.hostname, parts.port or 443))
    return found


async def _verdicts(seen: Fleet, looked: Looked | None, ours: str) -> list[Result]:
    clock_ms = None if looked is None else looked.clock_ms
    return [
        *fleet.versions(seen, ours),
        *fleet.pods(seen),
        *fleet.clocks(seen, clock_ms),
        *fleet.capacity(seen),
    ]


async def _settings(asked: Asked, control: ControlSettings) -> list[Result]:
    return contradictions(asked, control)


async def _machine(asked: Asked) -> list[Result]:
    found = [machine.files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])]
    if asked.data.is_dir():
        found.append(machine.disk(str(asked.data), shutil.disk_usage(asked.data).free))
    return found


# How checks are made


async def _one(ask: Callable[..., Awaitable[Result]], *given: object) -> list[Result]:
    return [await ask(*given)]


def _or_skip(given: str, check: Check, subject: str, why: str) -> Check:
    return check if given else _skip("reach", subject, why)


def _skip(check: str, subject: str, why: str) -> Check:
    async def skip() -> list[Result]:
        return [skipped(check, subject, why)]

    return skip


def _base(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""

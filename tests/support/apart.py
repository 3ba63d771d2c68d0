"""All of Headrace with every service a process of its own, as on a cluster: two controls on PostgreSQL, three
transcoders, two origins and two edges around Redis with a replica.

Law: what it starts dies with this process, even where this one is killed; `stop` leaves nothing behind. On loopback
ports are free ones, on hosts of their own those of the design. Between services there is TLS, and each pod has a
certificate of its own. Neighbours: `hosts` says where a process lives, `identities` what is in a certificate.
"""

import secrets
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
from psycopg import sql

from headrace.wire.identity import Role
from tests.support import kept
from tests.support.hosts import LOOPBACK, Host
from tests.support.identities import Authority, Files, identity
from tests.support.lease_keys import write_keys
from tests.support.postgres import Postgres
from tests.support.redis import Pair
from tests.support.stack import HEADRACE, Process, Stack, eventually

CONTROLS, TRANSCODERS, ORIGINS, EDGES = 2, 3, 2, 2
HTTP, CONTROL, TRANSCODER, RTMP = 8080, 7070, 7071, 1935
START_S = 60.0
RENEW_S = 10.0
STOP_S = 16.0
ROOM_PIXELS_S = 10**12  # for all that tests publish: nobody need measure


class Pod(Process):
    """One service. `restart` it after `kill`: it comes back at the same address."""

    def __init__(self, service: str, name: str, host: Host, http_port: int, **settings: object) -> None:
        self.service, self.pod, self.host = service, name, host
        self.url = f"http://{host.address}:{http_port}"
        self._settings = {"pod": name, "http_host": host.address, "http_port": http_port, **settings}
        self.start()

    def start(self) -> None:
        """Start it, the first time or again."""
        command = [*self.host.command, sys.executable, "-m"]
        variables = {f"HEADRACE_{name.upper()}": str(value) for name, value in self._settings.items()}
        super().__init__([*command, f"headrace.{self.service}"], **variables)
        self.name = self.pod

    def not_ready(self) -> str:
        """What `/readyz` says, "" where it is ready."""
        assert self.running, f"{self.pod} has ended:\n{self.output[-2000:]}"
        try:
            answer = httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False)
        except httpx.TransportError as error:
            return repr(error)
        return "" if answer.status_code == 200 else answer.text.strip()

    def wait_ready(self, within_s: float = START_S) -> None:
        """Until it takes new work. Raises TooLate."""
        eventually(f"{self.pod} is ready", lambda: not self.not_ready(), within_s)

    def end(self) -> None:
        """SIGTERM, and no other word. Raises AssertionError unless it ends well and in time."""
        self.signal(signal.SIGTERM)
        code = self.wait(STOP_S)
        assert code == 0, f"{self.pod} ended with {code}:\n{self.output[-2000:]}"


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream. `publish_urls` are what FFmpeg wants, one for each edge, `hls_urls` what players want, by origin."""

    apart: "Apart"
    id: str
    key: str
    publish_urls: list[str]
    hls_urls: list[str]

    def shown(self, control: int = 0) -> dict[str, Any]:
        """The stream as this control shows it."""
        answer = self.apart.api("GET", f"/v1/streams/{self.id}", control=control)
        shown: dict[str, Any] = answer.raise_for_status().json()
        return shown


class Apart:
    """Everything, once `start` has returned; `stop` ends it whether it has or not. `host` makes a host for each."""

    def __init__(self, host: Callable[[], Host] = lambda: LOOPBACK, **settings: object) -> None:
        """`settings` are for every service, by their names."""
        self._make_host = host
        self._settings = settings
        self._closing = ExitStack()
        self.authority = Authority()
        self.identities: dict[str, Files] = {}
        """The files of each pod, by its name."""
        self._database_url = ""
        self.api_key = kept.keep(f"hr_{secrets.token_urlsafe(24)}")
        self.controls: list[Pod] = []
        self.transcoders: list[Pod] = []
        self.origins: list[Pod] = []
        self.edges: list[Pod] = []
        self.rtmp_urls: list[str] = []

    def __enter__(self) -> "Apart":
        try:
            self.start()
        except BaseException as error:
            error.add_note("\n".join(f"{pod.pod}: {pod.output[-1500:]}" for pod in self.pods))
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pods(self) -> list[Pod]:
        """Every service."""
        return list(chain(self.edges, self.transcoders, self.origins, self.controls))

    def start(self) -> None:
        """Start everything; returns when all are ready."""
        self._folder = Path(self._closing.enter_context(TemporaryDirectory(prefix="identities-")))
        leases = write_keys(self._folder)
        database_url = self._start_database()
        log = {"log_cells": self._start_log(), "log_replicas": 1}
        controls, origins, edges = ([self._host() for _ in range(count)] for count in (CONTROLS, ORIGINS, EDGES))
        targets = [f"{host.address}:{free_port(host, CONTROL)}" for host in controls]
        origin_ports = [free_port(host, HTTP) for host in origins]
        rtmp_ports = [free_port(host, RTMP) for host in edges]
        self.rtmp_urls = [f"rtmp://{host.address}:{port}/live" for host, port in zip(edges, rtmp_ports, strict=True)]
        ours = {
            "database_url": database_url,
            "api_key": self.api_key,
            "lease_key": leases.private,
            "public_rtmp_url": self.rtmp_urls[0],
            "public_http_url": f"http://{origins[0].address}:{origin_ports[0]}",
        }
        for host, target in zip(controls, targets, strict=True):
            self._add("control", self.controls, host, free_port(host, HTTP), control_target=target, **log, **ours)
        all_controls = {"control_target": ",".join(targets)}
        for host in [self._host() for _ in range(TRANSCODERS)]:
            target = f"{host.address}:{free_port(host, TRANSCODER)}"
            room = {"transcoder_target": target, "capacity_pixels_s": ROOM_PIXELS_S, "lease_public_keys": leases.public}
            self._add("transcoder", self.transcoders, host, free_port(host, HTTP), **all_controls, **log, **room)
        for host, port in zip(origins, origin_ports, strict=True):
            self._add("origin", self.origins, host, port, **all_controls, **log)
        for host, port in zip(edges, rtmp_ports, strict=True):
            rtmp = {"rtmp_host": host.address, "rtmp_port": port}
            self._add("edge", self.edges, host, free_port(host, HTTP), **all_controls, **rtmp)
        eventually("everything is ready", lambda: not any([pod.not_ready() for pod in self.pods]), START_S)

    def stop(self) -> None:
        """End everything, the services first and in the order of the media."""
        self._search_metrics()
        self._search_database()
        try:
            for pods in (self.edges, self.transcoders, [*self.origins, *self.controls]):
                for pod in pods:
                    if pod.running:
                        pod.signal(signal.SIGTERM)
                for pod in pods:
                    pod.wait(STOP_S)
        finally:
            for pod in self.pods:
                pod.kill()
            self._closing.close()

    def create(self, name: str, profile: str | dict[str, Any] = "auto") -> Stream:
        """A new stream, over the API."""
        answer = self.api("POST", "/v1/streams", json={"name": name, "profile": profile})
        assert answer.status_code == 201, answer.text
        made = answer.json()
        path = urlsplit(made["playback"]["hls_url"]).path
        key = made["stream_key"]
        return Stream(
            self, made["id"], key, [f"{url}/{key}" for url in self.rtmp_urls],
            [origin.url + path for origin in self.origins],
        )  # fmt: skip

    def api(self, method: str, path: str, *, control: int = 0, **request: Any) -> httpx.Response:
        """One request to a control."""
        headers = {"authorization": f"Bearer {self.api_key}"}
        url = self.controls[control].url + path
        answer = httpx.request(method, url, headers=headers, timeout=30, trust_env=False, **request)
        kept.search_answer(answer)
        return answer

    def renew(self) -> None:
        """Give every pod a new certificate; returns when all have taken theirs."""
        for pod in self.pods:
            self.identities[pod.pod].write(self.authority.sign(identity(Role(pod.service))), self.authority)
        eventually("every pod has its new certificate", lambda: all(map(_has_taken, self.pods)), RENEW_S)

    def _search_metrics(self) -> None:
        """No pod that still answers has a key in a label."""
        for pod in self.pods:
            with suppress(httpx.TransportError):
                kept.search_answer(httpx.get(f"{pod.url}/metrics", timeout=2, trust_env=False))

    def _search_database(self) -> None:
        """No row, if the database still answers, has a key in it."""
        if not self._database_url:
            return
        with suppress(psycopg.OperationalError), psycopg.connect(self._database_url, connect_timeout=2) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            for (table,) in tables:
                rows = sql.SQL("SELECT row_to_json(t)::text FROM {} AS t").format(sql.Identifier(table))
                kept.search(f"table {table}", "\n".join(text for (text,) in connection.execute(rows)))

    def _host(self) -> Host:
        """One more; what is started there is told by the kernel when this process is gone, however that went."""
        host = self._make_host()
        return replace(host, command=(*host.command, "setpriv", "--pdeathsig", "TERM"))

    def _start_database(self) -> str:
        postgres = Postgres(host=self._host())
        self._closing.callback(postgres.stop)
        postgres.start()
        url = postgres.url(postgres.empty())
        with Process([str(HEADRACE), "migrate"], HEADRACE_DATABASE_URL=url) as migrating:
            assert migrating.wait(START_S) == 0, migrating.output
        self._database_url = url.replace("+psycopg", "")  # as psycopg takes it
        return url

    def _start_log(self) -> str:
        pair = self._closing.enter_context(Pair(self._host(), self._host()))
        self.log_host = pair.primary.host
        return pair.url

    def _add(self, service: str, pods: list[Pod], host: Host, http_port: int, **settings: object) -> None:
        name = f"{service}-{len(pods)}"
        self.identities[name] = files = Files(self._folder / name)
        files.write(self.authority.sign(identity(Role(service))), self.authority)
        pods.append(Pod(service, name, host, http_port, **{**settings, **files.settings, **self._settings}))


def _has_taken(pod: Pod) -> bool:
    said = httpx.get(f"{pod.url}/metrics", timeout=5, trust_env=False).text
    return Stack.metric_in(said, "headrace_wire_certificate_reloads_total", outcome="taken") > 0


def free_port(host: Host, standard: int) -> int:
    """The design's port on a host of its own, else a free one."""
    if host.cable:
        return standard
    with socket.socket() as probe:
        probe.bind((host.address, 0))
        return int(probe.getsockname()[1])

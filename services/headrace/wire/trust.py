"""What this process shows to other services, and whom it believes: certificates, plaintext, or sockets alone.

Law: a `host:port` is served and dialled with certificates, unless plaintext was asked for by name; a `unix:` socket is
guarded by its folder. Files that are replaced are taken within `LOOK_EVERY_S`, if they hold what this process can use:
handshakes from then on are made with them, and calls under way go on. Neighbours: `channel` opens channels and ports
through it, `gate` asks it who we are, `runtime.tls` reads the files.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from grpc.aio import Channel, Server

from headrace.runtime import tls
from headrace.runtime.aio.clock import unix_ms
from headrace.runtime.config import BadSetting
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.wire import metrics
from headrace.wire.errors import NoTrust
from headrace.wire.identity import Identity, Role, parse_identity

LOOK_EVERY_S = 2.0
SAY_EVERY_S = 60.0
SERVERS = (Role.TRANSCODER, Role.CONTROL)
UNIX = "unix:"

Options = Sequence[tuple[str, int | str]]

_log = logger(__name__)
_unusable = RateLimited(_log, "the certificate's new files cannot be used, the old ones are kept", SAY_EVERY_S)
_unsigned = RateLimited(
    _log, "none of our authorities has signed our certificate: pods that have the same refuse it", SAY_EVERY_S
)
_expired = RateLimited(_log, "this pod's certificate has expired", SAY_EVERY_S)


class Trust:
    """Without certificates: sockets, and what has a port where `plaintext` was asked for."""

    own: Identity | None = None
    """Who we are, where certificates say who anybody is."""
    generation = 0
    """Grows with each certificate: channels that were opened before show an older one."""

    def __init__(self, *, plaintext: bool = False) -> None:
        self._plaintext = plaintext

    async def run(self) -> None:
        """Follow the files until cancelled; without any it returns."""

    def dial(self, target: str, server: Role, options: Options) -> Channel:
        """A channel to `target`, which has to be a `server`. Raises NoTrust."""
        self._must_be_plain(target)
        return grpc.aio.insecure_channel(target, options=options)

    def add_port(self, server: Server, target: str) -> int:
        """Have `server` listen; 0 or RuntimeError where it cannot. Raises NoTrust."""
        self._must_be_plain(target)
        return server.add_insecure_port(target)

    def _must_be_plain(self, target: str) -> None:
        if not self._plaintext and not target.startswith(UNIX):
            raise NoTrust(f"{target} needs certificates, or HEADRACE_PLAINTEXT=true")


LOCAL = Trust()
"""For sockets alone."""

PLAINTEXT = Trust(plaintext=True)
"""Everybody is believed."""


def trust_of(role: Role, targets: str) -> Trust:
    """What the environment says for a service that serves or dials `targets`. Raises BadSetting."""
    ports = [target for one in targets.split(",") if (target := one.strip()) and not target.startswith(UNIX)]
    if not ports:
        return LOCAL
    settings = tls.TlsSettings()
    files = tls.files(settings)
    if settings.plaintext:
        if files is not None:
            raise BadSetting("HEADRACE_PLAINTEXT: it is true, and certificates are given: one of them has to go")
        _log.warning("gRPC goes without TLS, as HEADRACE_PLAINTEXT says", extra={"targets": ",".join(ports)})
        return PLAINTEXT
    if files is None:
        raise BadSetting(
            f"HEADRACE_TLS_CERTIFICATE: missing: {ports[0]} needs certificates, or HEADRACE_PLAINTEXT=true"
        )
    return Certified(role, files)


@dataclass(frozen=True, slots=True)
class _Credentials:
    """What gRPC makes of one generation of the files."""

    ours: "grpc.ServerCertificateConfiguration"
    dialling: grpc.ChannelCredentials
    not_after_s: float


class Certified(Trust):
    """With certificates of a `role`, which is this process's and stays so."""

    own: Identity

    def __init__(self, role: Role, files: tls.Files) -> None:
        """Raises BadSetting."""
        super().__init__()
        self._role = role
        self._files = files
        self._material = tls.read(files)
        self.own, certificate = self._checked(self._material)
        self._credentials = _credentials(self._material, certificate)

    async def run(self) -> None:
        """Follow the files until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Take the files if they have changed."""
        try:
            material = tls.read(self._files)
            if material == self._material:
                if unix_ms() > self._credentials.not_after_s * 1000:
                    _expired()
                return
            own, certificate = self._checked(material)
            if own != self.own:
                raise BadSetting(f"HEADRACE_TLS_CERTIFICATE: it is {own} now, and this process started as {self.own}")
        except BadSetting as bad:
            metrics.RELOADS.labels("refused").inc()
            _unusable({"why": str(bad)})
            return
        self._material = material
        self._credentials = _credentials(material, certificate)
        self.generation += 1
        metrics.RELOADS.labels("taken").inc()
        _log.info("the certificate's files have changed", extra={"not_after_s": int(certificate.not_after_s)})

    def dial(self, target: str, server: Role, options: Options) -> Channel:
        """A channel to `target`, which has to be our installation's `server`."""
        if target.startswith(UNIX):
            return super().dial(target, server, options)
        # Its certificate must have this name, whatever address was dialled: no other check can be had (docs/adr/0021).
        name = ("grpc.ssl_target_name_override", self.own.sibling(server).dns_name)
        return grpc.aio.secure_channel(target, self._credentials.dialling, options=(*options, name))

    def add_port(self, server: Server, target: str) -> int:
        """Have `server` listen for those whose certificates are of our authorities."""
        if target.startswith(UNIX):
            return super().add_port(server, target)
        known = self._credentials

        def newer() -> Any:
            """Asked in each handshake, in a thread of gRPC's own; None: nothing has changed."""
            nonlocal known
            metrics.HANDSHAKES.inc()
            now = self._credentials
            if now is known:
                return None
            known = now
            return now.ours

        return server.add_secure_port(target, grpc.dynamic_ssl_server_credentials(known.ours, newer, True))

    def _checked(self, material: tls.Material) -> tuple[Identity, tls.Certificate]:
        certificate = tls.check(self._files, material, unix_ms() / 1000)
        own = parse_identity(certificate.uri)
        if own is None:
            wanted = "spiffe://<trust domain>/ns/<namespace>/sa/<account>"
            raise self._bad(f"its URI SAN is {certificate.uri}, and {wanted} is wanted")
        if own.role is not self._role:
            raise self._bad(f"it is that of {own}, and this is the {self._role}: the account has to end with that")
        if not certificate.client:
            raise self._bad("its extended key usages are without that of clients")
        if self._role in SERVERS and not certificate.server:
            raise self._bad("its extended key usages are without that of servers")
        if self._role in SERVERS and own.dns_name not in certificate.names:
            raise self._bad(f"it has no DNS SAN {own.dns_name}, by which clients know the {self._role}")
        if not certificate.ours:
            about = {"certificate": str(self._files.certificate), "authority": str(self._files.authority)}
            _unsigned(about)
        return own, certificate

    def _bad(self, why: str) -> BadSetting:
        return BadSetting(f"HEADRACE_TLS_CERTIFICATE: {self._files.certificate}: {why}")


def _credentials(material: tls.Material, certificate: tls.Certificate) -> _Credentials:
    metrics.CERTIFICATE_ENDS.set(certificate.not_after_s)
    return _Credentials(
        grpc.ssl_server_certificate_configuration([(material.key, material.certificate)], material.authority),
        grpc.ssl_channel_credentials(material.authority, material.key, material.certificate),
        certificate.not_after_s,
    )

"""Certificates: the files here, and what servers show: when they end, and whose they are.

Law: nothing is sent after the handshake. What is made of a certificate is pure. Neighbours: `runtime.tls` reads our
own, `wire.identity` what a service's says.
"""

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from headrace.cli.doctor.results import Result, failure, ok, warning
from headrace.control.db import engines
from headrace.runtime import tls_words
from headrace.wire.identity import Role, parse_identity

DAY_S = 24 * 3600
SOON_DAYS = 7
SOON_SHARE = 1 / 3
SHOW_S = 4.0
POSTGRES_PORT = 5432
POSTGRES_ASKS = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"  # SSLRequest


@dataclass(frozen=True, slots=True)
class Server:
    """Who shows a certificate. `role`: what it has to be, where it is a service of ours, whose name is not its host's.

    `authority`, `certificate`, `key`: paths, '' for none. `asks`: bytes that come before the handshake.
    """

    name: str
    host: str
    port: int
    authority: str = ""
    certificate: str = ""
    key: str = ""
    role: Role | None = None
    asks: bytes = b""


def ends(subject: str, not_before_s: float, not_after_s: float, now_s: float) -> Result:
    """How long a certificate is still valid. One of a short life is renewed often: it ends soon in its last third."""
    days = (not_after_s - now_s) / DAY_S
    soon_days = min(SOON_DAYS, (not_after_s - not_before_s) / DAY_S * SOON_SHARE)
    if days < 0:
        seen = f"expired {_days(-days)} ago"
        return failure("certificates", subject, seen, "nobody accepts it", "renew it; services read it by themselves")
    seen = f"valid for {_days(days)}"
    if days < soon_days:
        return warning("certificates", subject, seen, "it ends soon", "see why nothing has renewed it")
    return ok("certificates", subject, seen)


def role(subject: str, uris: Iterable[str], wanted: Role) -> Result | None:
    """What is wrong with whose certificate this is; None where nothing is."""
    said = ", ".join(uris)
    found = parse_identity(said)
    if found is not None and found.role is wanted:
        return None
    wrong = f"it is not the certificate of the {wanted}: nobody who dials it there goes on"
    return failure("certificates", subject, said or "no SPIFFE ID", wrong, f"give it one that ends in `{wanted}`")


def file(name: str, path: str, now_s: float) -> list[Result]:
    """The certificates in a file; the one that ends first counts."""
    subject = f"{name} {path}"
    try:
        found = x509.load_pem_x509_certificates(Path(path).read_bytes())
    except OSError as error:
        seen = error.strerror or "it cannot be read"
        return [failure("certificates", subject, seen, "it is not there for us", "is it mounted, and may we read it?")]
    except ValueError:
        wrong = "it holds no certificate in PEM"
        return [failure("certificates", subject, "not a certificate", wrong, "is this the right file?")]
    return [_ends(subject, min(found, key=lambda each: each.not_valid_after_utc), now_s)]


async def shown(server: Server, now_s: float) -> list[Result]:
    """The certificate that a server shows: whether we accept it, and until when."""
    subject = f"{server.name} {server.host}:{server.port}"
    try:
        context = _context(server)
        async with asyncio.timeout(SHOW_S):
            refused = await _refusal(server, context)
            leaf = await _leaf(server)
    except (OSError, TimeoutError, EOFError) as error:
        said = tls_words.tls_error_in(error)
        why = tls_words.explain(said, server.host) if said else str(error) or f"nothing within {SHOW_S:g} s"
        return [failure("certificates", subject, why, "it shows no certificate", "see whether it speaks TLS there")]
    found = [_ends(subject, leaf, now_s)]
    if refused and "expired" not in refused:
        todo = "is this its authority, and its name?"
        found.append(failure("certificates", subject, refused, "we do not accept it", todo))
    if server.role is not None and (wrong := role(subject, _uris(leaf), server.role)) is not None:
        found.append(wrong)
    return found


def of_database(url: str) -> list[Server]:
    """The PostgreSQL servers of a URL that is entered over TLS."""
    parsed = engines.read_url(url)
    if engines.is_sqlite(parsed) or parsed.query.get("sslmode") not in ("require", "verify-ca", engines.VERIFY_FULL):
        return []
    given = {name: str(parsed.query.get(name, "")) for name in ("sslrootcert", "sslcert", "sslkey")}
    authority = given["sslrootcert"] if given["sslrootcert"] != "system" else ""
    files = (authority, given["sslcert"], given["sslkey"])
    port = parsed.port or POSTGRES_PORT
    hosts = [host for host in engines.hosts(parsed) if host and not host.startswith("/")]
    return [Server("database", host, port, *files, asks=POSTGRES_ASKS) for host in hosts]


async def _refusal(server: Server, context: ssl.SSLContext) -> str:
    """Why its certificate is not accepted; "" where it is."""
    try:
        await _shake_hands(server, context)
    except ssl.SSLCertVerificationError as error:
        return tls_words.explain(error, server.host)
    return ""


async def _leaf(server: Server) -> x509.Certificate:
    context = _context(server)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return x509.load_der_x509_certificate(await _shake_hands(server, context))


async def _shake_hands(server: Server, context: ssl.SSLContext) -> bytes:
    """The certificate that the server shows."""
    if not server.asks:
        _, writer = await asyncio.open_connection(server.host, server.port, ssl=context)
    else:
        reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        if server.asks:
            writer.write(server.asks)
            if await reader.readexactly(1) != b"S":
                raise ConnectionError("it does not speak TLS")
            await writer.start_tls(context, server_hostname=server.host)
        shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return shown
    finally:
        writer.transport.abort()


def _context(server: Server) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=server.authority or None)
    if server.certificate:
        context.load_cert_chain(server.certificate, server.key)
    if server.role is not None:
        context.check_hostname = False
        context.set_alpn_protocols(["h2"])
    return context


def _uris(leaf: x509.Certificate) -> list[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def _ends(subject: str, leaf: x509.Certificate, now_s: float) -> Result:
    return ends(subject, leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp(), now_s)


def _days(days: float) -> str:
    hours = days * 24
    return f"{days:.0f} days" if days >= 2 else f"{hours:.0f} hours" if hours >= 2 else f"{hours * 60:.0f} minutes"

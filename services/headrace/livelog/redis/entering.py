"""What entering a server takes: TLS, and the password; and why one could not be entered, in words.

Law: files are read again once they have changed, so that certificates and passwords rotate without a restart. With an
authority of ours nobody else's signature counts; a server's name or address is always checked. No password is ever
said. Neighbours: `connection` opens.
"""

import ssl
from functools import lru_cache
from pathlib import Path

from redis.exceptions import InvalidResponse
from redis.exceptions import TimeoutError as RedisTimeoutError

from headrace.livelog.base import Unreachable
from headrace.livelog.cell import Access, TlsFiles
from headrace.runtime import tls_words

_OURS = "set HEADRACE_LOG_TLS_CERTIFICATE and HEADRACE_LOG_TLS_KEY"
_PORT = ": name its TLS port, or begin the cell's URL with redis://"
_KEPT = 16  # contexts: one for each cell, and the ones before them


def context_of(files: TlsFiles) -> ssl.SSLContext:
    """The context of these files as they are now. Raises Unreachable where they cannot be used."""
    try:
        return _context(files, tuple(_changed(path) for path in files if path))
    except ssl.SSLError as error:
        # load_cert_chain says the same of a key that is another certificate's.
        named = " and ".join(path for path in files if path)
        raise Unreachable(f"{named}: no certificate and key that belong together ({error.reason})") from None
    except OSError as error:
        raise Unreachable(f"{error.filename or 'a file for TLS'}: {error.strerror}") from None


def password_of(access: Access) -> str | None:
    """The password. Raises Unreachable where its file cannot be read."""
    if access.password or not access.password_file:
        return access.password
    try:
        return Path(access.password_file).read_text().strip()
    except OSError as error:
        raise Unreachable(f"the password cannot be read: {access.password_file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Unreachable(f"the password cannot be read: {access.password_file} is not text") from None


def why(error: BaseException, access: Access, host: str, *, at_once: bool = False) -> str:
    """Why a server was not entered. `at_once`: it closed the connection before it had said anything."""
    tls = tls_words.tls_error_in(error)
    if tls is not None:
        said = tls_words.explain(tls, host)
        if said.startswith("it wants a certificate"):
            return f"{said}: {_OURS}"
        return said + _PORT if said.startswith("it does not speak TLS") else said
    said = str(error).rstrip(".") or type(error).__name__
    if isinstance(error, TimeoutError | RedisTimeoutError):
        # A plaintext Redis takes a handshake for the beginning of a command, and waits for the rest.
        return f"no answer: it may not speak TLS on this port{_PORT}" if at_once and access.tls else "no answer"
    if not at_once or not (isinstance(error, InvalidResponse) or "closed by server" in said or "reading from" in said):
        return said
    # A port of TLS answers plaintext with an alert, which is no reply of Redis's, or by closing. One that does not want
    # our certificate says so in an alert as well, unless closing the connection throws that away.
    if access.tls is None:
        return f"{said}: it may want TLS: begin the cell's URL with rediss://"
    if not access.tls.certificate:
        return f"{said}: it may want a certificate of ours: {_OURS}"
    return f"{said}: it may want another certificate of ours"


@lru_cache(_KEPT)
def _context(files: TlsFiles, _changed: tuple[int, ...]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files.authority or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.certificate:
        context.load_cert_chain(files.certificate, files.key)
    return context


def _changed(path: str) -> int:
    return Path(path).stat().st_mtime_ns

"""Whom the doctor is to gRPC servers: the service whose certificate it was given.

Law: it has no identity of its own; without certificates it dials sockets, and ports where plaintext was asked for.
"""

from headrace.runtime import tls
from headrace.runtime.aio.clock import unix_ms
from headrace.runtime.config import BadSetting
from headrace.wire.identity import parse_identity
from headrace.wire.trust import LOCAL, PLAINTEXT, Certified, Trust


def trust_of_doctor(settings: tls.TlsSettings) -> Trust:
    """What the environment says. Raises BadSetting."""
    files = tls.files(settings)
    if files is None:
        return PLAINTEXT if settings.plaintext else LOCAL
    said = tls.check(files, tls.read(files), unix_ms() / 1000).uri
    identity = parse_identity(said)
    if identity is None or identity.role is None:
        raise BadSetting(f"HEADRACE_TLS_CERTIFICATE: {files.certificate}: {said} is none of our services'")
    return Certified(identity.role, files)

"""Names and secrets: made here, from given randomness or from `secrets`.

Law: a clear stream key leaves this service in one answer and is never stored. A key that is made by a request with an
Idempotency-Key must come back when the request is repeated; it is therefore *derived*,
HMAC-SHA256(API key, salt, Idempotency-Key), and only the random salt is stored: the database alone reveals nothing,
and when the salt goes after 24 hours nobody can derive the key again.
"""

import base64
import hashlib
import hmac
import json
import secrets

from headrace.core.broadcast import RunId, StreamId, StreamKey

SALT_BYTES = 32
KEY_BYTES = 20  # 160 bits: 32 characters of base32, no padding
HINT_CHARS = 4


def new_stream_id() -> StreamId:
    """60 random bits: short enough for a URL, unique without asking anybody."""
    return StreamId(_text(secrets.token_bytes(10))[:12])


def new_run_id(cell: str) -> RunId:
    """80 random bits, behind the name of the log's cell that the run lives in, where that has one."""
    random = _text(secrets.token_bytes(10))
    return RunId(f"{cell}-{random}" if cell else random)


def new_session_id() -> str:
    """128 random bits: whoever knows it may speak for the session."""
    return secrets.token_hex(16)


def new_stream_key() -> StreamKey:
    """A random stream key."""
    return StreamKey(f"sk_{_text(secrets.token_bytes(KEY_BYTES))}")


def new_salt() -> bytes:
    """The random part of a derived stream key."""
    return secrets.token_bytes(SALT_BYTES)


def derive_stream_key(api_key: str, salt: bytes, idempotency_key: str) -> StreamKey:
    """The stream key of a request with an Idempotency-Key; as random as `salt` and `api_key` are."""
    mac = hmac.digest(api_key.encode(), salt + idempotency_key.encode(), hashlib.sha256)
    return StreamKey(f"sk_{_text(mac[:KEY_BYTES])}")


def hint(key: StreamKey) -> str:
    """The tail by which a person recognises a key."""
    return key.reveal()[-HINT_CHARS:]


def digest_of(*parts: object) -> str:
    """SHA-256 in hex over a canonical JSON form: the same request has the same digest."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _text(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()

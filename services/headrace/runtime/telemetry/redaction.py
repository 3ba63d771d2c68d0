"""The last fence before a text leaves the process: what looks like a secret is struck out.

Law: no secret should come this far; `StreamKey` and `SecretStr` do not show themselves. This is for those that come in
another's words: a driver's error with its URL, an address that an encoder was given with its key. Neighbours: `lines`
sends every line through `redact`, `runtime.config` tells of every secret setting.
"""

import re

STRUCK = "[redacted]"
LEAST_CHARS = 8
"""A shorter secret is not looked for by its text: it would be struck out of every other word."""

_SHAPES = re.compile(
    r"""
      sk_[a-z2-7]{16,}                                      # a stream key, whole or most of it
    | hr_[\w-]{16,}                                         # an API key of our own making
    | eyJ[\w-]{8,}\.[\w-]+\.[\w-]*                          # a JWT, such as a lease token
    | (?<=://) [^\s/?\#'"<>@:]{0,256} : [^\s'"<>]{0,1024} (?=@)  # user:password@ in a URL
    | (?<=bearer\ ) [^\s'",]+                               # an Authorization header
    | (?<=login=) [\w-]{16,}                                # the console's one-time login
    | (?<=password=) (?: '(?:[^'\\]|\\.)*' | [^\s&'",]+ )   # libpq's words, and queries
    """,
    re.VERBOSE | re.IGNORECASE,
)

_exact: set[str] = set()


def keep_secret(secret: str) -> None:
    """Strike `secret` out wherever it is met from now on, whatever it looks like."""
    if len(secret) >= LEAST_CHARS:
        _exact.add(secret)


def redact(text: str) -> str:
    """`text` without what looks like a secret."""
    for secret in _exact:
        if secret in text:
            text = text.replace(secret, STRUCK)
    return _SHAPES.sub(STRUCK, text)

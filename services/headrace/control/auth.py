"""Who may use the API: clients by the API key, a browser by a console session.

Law: secrets are compared in constant time and live in memory only; a login token works once. Neighbours:
`http.security` reads the request's headers, standalone prints the login link.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable

SESSION_S = 12 * 3600.0  # a working day, so that a link in the morning lasts until the evening
MAX_SESSIONS = 1000  # the oldest goes first; each was made with a secret, so this is no way in
MAX_TOKENS = 16


class Auth:
    """`clock` gives monotonic seconds."""

    def __init__(self, api_key: str, clock: Callable[[], float]) -> None:
        self._api_key = api_key.encode()
        self._clock = clock
        self._tokens: OrderedDict[str, None] = OrderedDict()
        self._sessions: OrderedDict[str, float] = OrderedDict()

    def is_api_key(self, given: str) -> bool:
        """Whether `given` is the API key."""
        # JSON can hold what UTF-8 cannot; it is a wrong key like any other.
        return hmac.compare_digest(given.encode(errors="surrogatepass"), self._api_key)

    def new_login_token(self) -> str:
        """A token for a login link: it opens one console session, once."""
        token = secrets.token_urlsafe(24)
        self._tokens[_digest(token)] = None
        while len(self._tokens) > MAX_TOKENS:
            self._tokens.popitem(last=False)
        return token

    def session_by_token(self, token: str) -> str | None:
        """A console session for a login token that was not used before."""
        if _digest(token) not in self._tokens:
            return None
        del self._tokens[_digest(token)]
        return self._new_session()

    def session_by_api_key(self, given: str) -> str | None:
        """A console session for whoever has the API key."""
        return self._new_session() if self.is_api_key(given) else None

    def has_session(self, session: str) -> bool:
        """Whether this console session is open."""
        until_s = self._sessions.get(_digest(session))
        return until_s is not None and until_s > self._clock()

    def end_session(self, session: str) -> None:
        """Close a console session, if it is open."""
        self._sessions.pop(_digest(session), None)

    def _new_session(self) -> str:
        session = secrets.token_urlsafe(24)
        self._sessions[_digest(session)] = self._clock() + SESSION_S
        while len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return session


def _digest(secret: str) -> str:
    # A look-up by digest tells an attacker's stopwatch nothing about the secret.
    return hashlib.sha256(secret.encode()).hexdigest()

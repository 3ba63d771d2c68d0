"""Keys, the API key, login links and console sessions."""

import pytest
from pydantic import SecretStr

from headrace.control.auth import MAX_TOKENS, SESSION_S, Auth
from headrace.control.keys import derive_stream_key, hint, new_salt, new_stream_key
from headrace.control.settings import ControlSettings
from headrace.runtime.config import BadSetting
from tests.unit.control.support import API_KEY, Clock


def test_stream_keys_are_random_and_fit_into_a_url() -> None:
    texts = {new_stream_key().reveal() for _ in range(100)}
    assert len(texts) == 100
    assert all(text.removeprefix("sk_").isalnum() and len(text) == 35 for text in texts)


def test_a_derived_key_needs_the_api_key_the_salt_and_the_idempotency_key() -> None:
    salt = new_salt()
    key = derive_stream_key("api", salt, "once")
    assert derive_stream_key("api", salt, "once") == key
    assert (
        len(
            {
                key,
                *(
                    derive_stream_key(*o)
                    for o in (("x", salt, "once"), ("api", new_salt(), "once"), ("api", salt, "o"))
                ),
            }
        )
        == 4
    )


def test_the_hint_is_the_keys_tail() -> None:
    key = new_stream_key()
    assert key.reveal().endswith(hint(key))
    assert len(hint(key)) == 4


def test_only_the_api_key_is_the_api_key() -> None:
    auth = Auth(API_KEY, Clock())
    assert auth.is_api_key(API_KEY)
    assert not any(auth.is_api_key(other) for other in ("", API_KEY[:-1], API_KEY + " ", "é"))


def test_a_login_token_opens_one_session() -> None:
    auth = Auth(API_KEY, Clock())
    token = auth.new_login_token()
    session = auth.session_by_token(token)
    assert session is not None
    assert auth.has_session(session)
    assert auth.session_by_token(token) is None
    assert not auth.has_session(token)


def test_only_the_newest_login_tokens_are_good() -> None:
    auth = Auth(API_KEY, Clock())
    first, *others = (auth.new_login_token() for _ in range(MAX_TOKENS + 1))
    assert auth.session_by_token(first) is None
    assert all(auth.session_by_token(token) for token in others)


def test_a_console_session_ends_with_the_working_day_or_at_logout() -> None:
    clock = Clock()
    auth = Auth(API_KEY, clock)
    one, two = auth.session_by_api_key(API_KEY), auth.session_by_api_key(API_KEY)
    assert one is not None
    assert two is not None
    auth.end_session(one)
    assert not auth.has_session(one)
    assert auth.has_session(two)
    clock.now_s += SESSION_S
    assert not auth.has_session(two)
    assert auth.session_by_api_key("wrong") is None


@pytest.mark.parametrize("around", ["\n", "\r\n", " "])
def test_what_a_file_puts_behind_the_api_key_does_not_count(around: str) -> None:
    assert ControlSettings.model_validate({"api_key": API_KEY + around}).api_key.get_secret_value() == API_KEY
    assert ControlSettings(api_key=SecretStr(around + API_KEY)).api_key.get_secret_value() == API_KEY
    with pytest.raises(BadSetting, match="HEADRACE_API_KEY"):
        ControlSettings(api_key=SecretStr(around * 20))

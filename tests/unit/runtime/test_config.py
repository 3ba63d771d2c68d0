"""Settings: what is missing or cannot be is said without its value."""

import pytest
from pydantic import SecretStr

from headrace.control.settings import ControlSettings
from headrace.runtime.config import BadSetting, child_environment
from headrace.transcoder.settings import TranscoderSettings


@pytest.mark.parametrize("key", ["", "secret", "x" * 15])
def test_a_control_without_a_real_api_key_does_not_start(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_API_KEY", key)
    with pytest.raises(BadSetting, match=r"^HEADRACE_API_KEY: ") as from_environment:
        ControlSettings()  # type: ignore[call-arg]  # from the environment
    assert not key or key not in str(from_environment.value)
    with pytest.raises(BadSetting, match="HEADRACE_API_KEY"):
        ControlSettings(api_key=SecretStr(key))


def test_every_setting_that_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADRACE_API_KEY", raising=False)
    monkeypatch.setenv("HEADRACE_CONTINUATION_WINDOW_S", "soon")
    with pytest.raises(BadSetting, match=r"(?s)HEADRACE_API_KEY: .*HEADRACE_CONTINUATION_WINDOW_S: "):
        ControlSettings()  # type: ignore[call-arg]  # from the environment


@pytest.mark.parametrize(
    ("target", "advertised"), [("0.0.0.0:7071", ""), ("[::]:7071", ""), ("10.0.0.1:7071", "0.0.0.0:7071")]
)
def test_a_transcoder_does_not_tell_edges_to_dial_every_address(target: str, advertised: str) -> None:
    with pytest.raises(BadSetting, match=r"^HEADRACE_TRANSCODER_ADVERTISE: nobody can dial .*:7071"):
        TranscoderSettings(transcoder_target=target, transcoder_advertise=advertised)


def test_a_transcoder_that_listens_everywhere_says_where_it_is_reached() -> None:
    TranscoderSettings(transcoder_target="0.0.0.0:7071", transcoder_advertise="10.0.0.1:7071")
    TranscoderSettings(transcoder_target="unix:/run/transcoder")


def test_a_child_gets_the_environment_without_our_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEADRACE_API_KEY", "headrace_api_key", "HEADRACES_NEIGHBOUR"):
        monkeypatch.setenv(name, "x" * 20)
    given = child_environment()
    assert "PATH" in given
    assert [name for name in given if name.lower().startswith("headrace")] == ["HEADRACES_NEIGHBOUR"]

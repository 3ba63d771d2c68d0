"""Settings: what is missing or cannot be is said without its value."""

import pytest
from pydantic import SecretStr

from headrace.control.settings import ControlSettings
from headrace.runtime.config import BadSetting, child_environment


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
    monkeypatch.setenv("HEADRACE_FLEET_WAIT_S", "soon")
    with pytest.raises(BadSetting, match=r"(?s)HEADRACE_API_KEY: .*HEADRACE_FLEET_WAIT_S: "):
        ControlSettings()  # type: ignore[call-arg]  # from the environment


def test_a_child_gets_the_environment_without_our_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEADRACE_API_KEY", "headrace_api_key", "HEADRACES_NEIGHBOUR"):
        monkeypatch.setenv(name, "x" * 20)
    given = child_environment()
    assert "PATH" in given
    assert [name for name in given if name.lower().startswith("headrace")] == ["HEADRACES_NEIGHBOUR"]

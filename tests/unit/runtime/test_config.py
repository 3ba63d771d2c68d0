"""Settings: what is missing or cannot be is said without its value."""

import pytest
from pydantic import SecretStr

from headrace.control.settings import ControlSettings
from headrace.runtime.config import BadSetting


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

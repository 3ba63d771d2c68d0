"""Settings are few, each says what it is, and the reference says what they are now."""

import pytest

from headrace.runtime.config import Settings
from tests.support.config_reference import FILE, SECTIONS, Section, reference
from tests.support.house import SERVICES, sources

MAX_SETTINGS = 25


def unexplained(settings: type[Settings]) -> list[str]:
    """Settings without a docstring."""
    return [name for name, field in settings.model_fields.items() if not field.description]


def test_the_reference_is_what_the_settings_classes_say() -> None:
    assert FILE.read_text() == reference(), "run `make config-reference` and commit it"


def test_every_settings_class_is_in_the_reference() -> None:
    named = {section.settings.__name__ for section in SECTIONS}
    written = {
        line.removeprefix("class ").partition("(")[0]
        for file in sources(SERVICES)
        for line in file.read_text().splitlines()
        if line.startswith("class ") and line.endswith(("(Settings):", "(PodSettings):"))
    }
    assert named == written - {"PodSettings"}


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_a_service_has_few_settings_and_each_says_what_it_is(section: Section) -> None:
    assert len(section.settings.model_fields) <= MAX_SETTINGS
    assert unexplained(section.settings) == []


def test_a_setting_that_says_nothing_is_found() -> None:
    class Silent(Settings):
        told_s: float = 1.0
        """Seconds."""
        silent: int = 0

    assert unexplained(Silent) == ["silent"]
    assert "| `HEADRACE_TOLD_S` | number | `1.0` | Seconds. |" in reference([Section("It", "", Silent)])

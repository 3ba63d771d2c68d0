"""What all tests share: how hypothesis behaves on a slow, busy machine, and that no metric is surprised by a label."""

from collections.abc import Iterator

import hypothesis
import pytest

from headrace.runtime.telemetry import metrics

# A deadline per example would measure the machine, not the code.
hypothesis.settings.register_profile(
    "headrace", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("headrace")


@pytest.fixture(autouse=True)
def listed_values(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a metric's list of label values lacks is `other` for users, and a defect for us."""
    unlisted: list[str] = []

    def note(metric: metrics.Counter, value: object) -> str:
        if not any(metrics.OTHER in values for values in metric.lists.values()):
            unlisted.append(f"{metric}: {value!r}")
        return metrics.OTHER

    monkeypatch.setattr(metrics, "unlisted", note)
    yield
    assert unlisted == [], "list them where the metric is declared, and in docs/reference/metrics.yaml"

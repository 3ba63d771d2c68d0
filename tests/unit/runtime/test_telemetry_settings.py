import pytest

from headrace.runtime.config import BadSetting
from headrace.runtime.telemetry.settings import TelemetrySettings


@pytest.mark.parametrize("endpoint", ["", "http://collector:4317", "https://[::1]:4317", "http://collector:4317/"])
def test_an_endpoint_is_a_scheme_a_host_and_a_port(endpoint: str) -> None:
    assert TelemetrySettings(otlp_endpoint=endpoint).otlp_endpoint == endpoint


@pytest.mark.parametrize(
    "endpoint",
    [
        "collector:4317",
        "grpc://collector:4317",
        "http://collector",
        "http://:4317",
        "http://collector:70000",
        "http://user:secret-word@collector:4317",
        "http://collector:4317/v1/traces",
        "http://collector:4317?secret-word",
    ],
)
def test_what_is_none_is_refused_without_showing_it(endpoint: str) -> None:
    with pytest.raises(BadSetting, match="HEADRACE_OTLP_ENDPOINT: ") as caught:
        TelemetrySettings(otlp_endpoint=endpoint)
    assert "secret-word" not in str(caught.value)


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan")])
def test_a_ratio_is_a_part_of_the_whole(ratio: float) -> None:
    with pytest.raises(BadSetting, match="HEADRACE_TRACE_RATIO"):
        TelemetrySettings(trace_ratio=ratio)

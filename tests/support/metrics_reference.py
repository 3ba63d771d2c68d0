"""`docs/reference/metrics.md`, made from the catalogue beside it: `make metrics-reference` writes it.

Law: what a metric is, and which values its labels have, is promised in the catalogue; `tests/architecture` sees that
the code declares the same, no more and no less, and that the page is current.
"""

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from headrace.runtime.telemetry.metrics import DECLARED, unit_of
from tests.support.house import REPO, SERVICES, sources

CATALOGUE = REPO / "docs" / "reference" / "metrics.yaml"
FILE = REPO / "docs" / "reference" / "metrics.md"
SERVICES_OF = {
    "edge": "The edge",
    "transcoder": "The transcoder",
    "origin": "The origin",
    "control": "Control",
    "log": "Every process that has a live log: transcoder, origin, control",
    "wire": "Every process, about its gRPC calls",
    "http": "Every process, about its HTTP port",
    "process": "Every process, about itself",
    "telemetry": "Every process, about its traces and metrics",
}
HEAD = """\
# Metrics

<!-- Made from metrics.yaml by `make metrics-reference`: do not edit. -->

Every process answers `GET /metrics` in Prometheus' text format, or in OpenMetrics where the request asks for it, and
sends the same by OTLP where `HEADRACE_OTLP_ENDPOINT` says so, under the same names. `headrace up` is one process with
all of them. [How to watch them](../how-to/metrics.md) has the queries.

Names are `headrace_<service>_<what>_<unit>`, with `_total` behind a counter's. A label has no other values than those
that are listed here: none holds a stream, a run, a key, or anything that a peer sent. A histogram's series are its
name with `_bucket`, `_count` and `_sum`. `process_*` and `python_*` are the Prometheus client's own: memory, processor
time, open files.
"""


class Metric(NamedTuple):
    """One entry of the catalogue; labels with all of their values."""

    name: str
    service: str
    type: str
    unit: str
    meaning: str
    labels: dict[str, list[str]]


def catalogue(file: Path = CATALOGUE) -> list[Metric]:
    """What is promised."""
    return [Metric(**{"labels": {}, **entry}) for entry in yaml.safe_load(file.read_text())]


def declared() -> list[Metric]:
    """What the code declares, in the order of the catalogue's services, then of its lines."""
    for file in sources(SERVICES):
        if "runtime.telemetry.metrics import" in file.read_text():
            importlib.import_module(".".join(file.relative_to(SERVICES).with_suffix("").parts))
    found = [
        Metric(
            metric.full_name,
            metric.full_name.split("_")[1],
            metric.kind,
            unit_of(metric.full_name),
            metric.meaning,
            {label: list(values) for label, values in metric.lists.items()},
        )
        for metric in DECLARED
    ]
    order = list(SERVICES_OF)
    return sorted(found, key=lambda metric: order.index(metric.service) if metric.service in order else len(order))


def reference(metrics: Sequence[Metric]) -> str:
    """The whole page."""
    return "\n".join([HEAD, *_lines(metrics)])


def _lines(metrics: Sequence[Metric]) -> Iterator[str]:
    for service, title in SERVICES_OF.items():
        yield f"## {title}\n\n| metric | type | unit | meaning |\n|---|---|---|---|"
        for each in metrics:
            if each.service == service:
                yield f"| `{each.name}` | {each.type} | {each.unit.replace('_', ' ')} | {_meaning(each)} |"
        yield ""


def _meaning(metric: Metric) -> str:
    return " ".join([metric.meaning, *(f"`{label}`: {_values(values)}." for label, values in metric.labels.items())])


def _values(values: Sequence[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


class _Inline(list[str]):
    """A list on one line."""


class _Dumper(yaml.SafeDumper):
    """YAML as people write it."""


_Dumper.add_representer(
    _Inline, lambda dumper, values: dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=True)
)


def as_yaml(metrics: Sequence[Metric]) -> str:
    """The entries of these metrics: what the code declares, for the catalogue to say the same."""
    entries = [
        {
            **metric._replace(labels={})._asdict(),
            "labels": {label: _Inline(values) for label, values in metric.labels.items()},
        }
        for metric in metrics
    ]
    plain = [{key: value for key, value in entry.items() if value != {}} for entry in entries]
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, width=116, allow_unicode=True)


if __name__ == "__main__":
    FILE.write_text(reference(catalogue()))

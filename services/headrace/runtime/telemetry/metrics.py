"""Metrics of a process, in Prometheus' forms.

Law: a name is `headrace_<service>_<what>_<unit>`, in base units, `_total` behind a counter's; the catalogue
`docs/reference/metrics.yaml` lists every one. A label's values are a closed list that stands where the metric is
declared: no stream, run or key, and nothing that a peer sent, becomes one; what is on no list is counted as `other`.
Neighbours: each service's `metrics` module declares its own, `probes` shows them all, `otlp_metrics` sends them.
"""

import gzip
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

import prometheus_client
from prometheus_client import disable_created_metrics
from prometheus_client.exposition import choose_encoder, gzip_accepted
from prometheus_client.metrics import MetricWrapperBase

__all__ = ["DECLARED", "OTHER", "Counter", "Gauge", "Histogram", "exposition", "unit_of"]

_OPENMETRICS_TYPE = "application/openmetrics-text"
_OPENMETRICS, _TEXT = choose_encoder(_OPENMETRICS_TYPE), choose_encoder("")

OTHER = "other"
BASE_UNITS = ("pixels_per_second", "seconds", "bytes", "ratio")

T = TypeVar("T", bound="_Declared")

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, that nobody reads


def unit_of(name: str) -> str:
    """What a metric counts: a base unit, or the things that its name ends with."""
    plain = name.removesuffix("_total")
    return next((unit for unit in BASE_UNITS if plain.endswith(f"_{unit}")), plain.rpartition("_")[2])


class _Declared(MetricWrapperBase):
    """A metric whose labels have closed lists of values.

    One that has a single label shows all of its values from the start, so that the first increase of each is seen; but
    not a histogram, each of whose values is a dozen series.
    """

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Mapping[str, Collection[str]] | Sequence[str] = (),
        **given: Any,
    ) -> None:
        """`labelnames`: each label's values. Without them, and with `_labelvalues`, it is a child of one."""
        self.lists = dict(labelnames) if isinstance(labelnames, Mapping) else {}
        self.full_name = name
        self._listed: dict[tuple[object, ...], Any] = {}  # as many as the lists have values
        unit = unit_of(name)
        given["unit"] = unit if unit in BASE_UNITS else ""
        super().__init__(name, documentation, tuple(labelnames), **given)
        if given.get("_labelvalues"):
            return
        if "registry" not in given:
            DECLARED.append(self)
        if len(self.lists) == 1 and self.kind != "histogram":
            for value in next(iter(self.lists.values())):
                self.labels(value)

    @property
    def kind(self) -> str:
        """`counter`, `gauge` or `histogram`."""
        return str(self._type)

    @property
    def meaning(self) -> str:
        """What it is, in a sentence."""
        return self._documentation

    def labels(self: T, *values: object, **_: object) -> T:
        """The series with these values, in the labels' order."""
        child: T | None = self._listed.get(values)
        if child is not None:
            return child
        known = zip(values, self.lists.values(), strict=True)
        named = tuple(value if value in allowed else unlisted(self, value) for value, allowed in known)
        child = super().labels(*named)
        if named == values:
            self._listed[values] = child
        return child


class Counter(_Declared, prometheus_client.Counter):
    """It only grows."""


class Gauge(_Declared, prometheus_client.Gauge):
    """It is what it is now."""


class Histogram(_Declared, prometheus_client.Histogram):
    """How often values were at most so large."""


DECLARED: list[_Declared] = []
"""Every metric that has been declared in this process."""


def unlisted(metric: _Declared, value: object) -> str:
    """What is counted instead of a value that is on no list. Tests put something louder in its place."""
    return OTHER


def exposition(accept: str = "", accept_encoding: str = "") -> tuple[bytes, list[tuple[str, str]]]:
    """All metrics of the process as a scraper wants them, and the header fields that say so.

    `accept`: as in HTTP: Prometheus' text, or OpenMetrics where it is asked for. Compressed where that is accepted.
    """
    # The library would parse what is asked for further, and fail where it is odd.
    asked = {each.partition(";")[0].strip().lower() for each in accept.split(",")}
    encode, media_type = _OPENMETRICS if _OPENMETRICS_TYPE in asked else _TEXT
    body = encode(prometheus_client.REGISTRY)
    headers = [("content-type", media_type), ("vary", "accept, accept-encoding")]
    if gzip_accepted(accept_encoding):
        return gzip.compress(body, compresslevel=1), [*headers, ("content-encoding", "gzip")]
    return body, headers

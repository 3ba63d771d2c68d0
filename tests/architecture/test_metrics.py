"""Metrics are what the catalogue promises: in the code, in the reference, in every document."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest

from headrace.edge import metrics as edge
from headrace.livelog.base import LogError
from headrace.origin import follower as _origins_errors  # noqa: F401
from headrace.origin import metrics as origin
from headrace.runtime.telemetry.metrics import BASE_UNITS, Counter
from headrace.transcoder import metrics as transcoder
from headrace.transcoder import writer as _transcoders_errors  # noqa: F401
from tests.support.house import REPO, SERVICES, imports, plant, sources, tracked
from tests.support.metrics_reference import FILE, SERVICES_OF, Metric, as_yaml, catalogue, declared, reference

NAME = re.compile(r"headrace(_[a-z0-9]+)+")
MENTION = re.compile(rf"\bheadrace_(?:{'|'.join(SERVICES_OF)})_[a-z0-9_]*[a-z0-9]\b")
SERIES = ("", "_bucket", "_count", "_sum")
LABELS = {"by", "code", "kind", "method", "outcome", "queue", "reason", "result", "route", "state", "status"}
MOST_VALUES = 40
MOST_SERIES = 1000  # of one metric, its buckets not counted
EXPORTERS = {"headrace.runtime.telemetry.metrics", "headrace.runtime.telemetry.otlp_metrics"}


def against_the_law(metrics: Iterable[Metric]) -> Iterator[str]:
    """Names and labels that are not as all others are."""
    for each in metrics:
        plain = each.name.removesuffix("_total")
        if not NAME.fullmatch(each.name) or each.name.split("_")[1] != each.service or each.service not in SERVICES_OF:
            yield f"{each.name}: not headrace_<service>_…"
        if (each.type == "counter") is not each.name.endswith("_total"):
            yield f"{each.name}: _total is for counters, and for all of them"
        if not plain.endswith(f"_{each.unit}"):
            yield f"{each.name}: does not end with its unit"
        if each.type == "histogram" and each.unit not in BASE_UNITS:
            yield f"{each.name}: a histogram of no base unit"
        if not each.meaning.endswith("."):
            yield f"{each.name}: its meaning is no sentence"
        if not each.labels.keys() <= LABELS:
            yield f"{each.name}: a label that nobody knows"
        if any(not 1 < len(values) <= MOST_VALUES for values in each.labels.values()):
            yield f"{each.name}: a label with one value, or too many"


def unknown_mentions(root: Path, files: Iterable[Path], known: Sequence[Metric]) -> Iterator[str]:
    """Metrics that a document or a test speaks of and nobody has."""
    names = {each.name + series for each in known for series in (SERIES if each.type == "histogram" else ("",))}
    for file in files:
        for name in MENTION.findall((root / file).read_text(errors="replace")):
            if name not in names:
                yield f"{file}: {name}"


def test_the_catalogue_and_the_code_say_the_same() -> None:
    promised, there = catalogue(), declared()
    missing = [each for each in there if each not in promised]
    assert missing == [], f"the catalogue should say:\n{as_yaml(missing)}"
    assert [each for each in promised if each not in there] == []
    assert len(promised) == len({each.name for each in promised})


def test_the_reference_is_what_the_catalogue_says() -> None:
    assert FILE.read_text() == reference(catalogue()), "run `make metrics-reference` and commit it"


def test_every_metric_has_a_name_by_the_law() -> None:
    assert list(against_the_law(catalogue())) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "edge_connections"},
        {"name": "headrace_origin_connections"},
        {"name": "headrace_edge_connections_total"},
        {"type": "counter"},
        {"unit": "sockets"},
        {"type": "histogram"},
        {"meaning": "Open connections"},
        {"labels": {"run": ["a", "b"]}},
        {"labels": {"reason": ["a"]}},
        {"labels": {"reason": [str(each) for each in range(99)]}},
    ],
    ids=str,
)
def test_what_breaks_the_law_is_found(wrong: dict[str, object]) -> None:
    right = Metric("headrace_edge_connections", "edge", "gauge", "connections", "Open connections.", {})
    assert list(against_the_law([right])) == []
    assert len(list(against_the_law([right._replace(**wrong)]))) == 1  # type: ignore[arg-type]


SELECTOR = re.compile(r"(headrace_[a-z0-9_]+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)(!?=~?)"([^"]*)"')


def wrong_selectors(text: str, known: Sequence[Metric]) -> Iterator[str]:
    """Queries for labels, or values of labels, that a metric does not have."""
    labels = {each.name + series: each.labels for each in known for series in SERIES}
    for name, selector in SELECTOR.findall(text):
        for label, operator, wanted in MATCHER.findall(selector):
            has = labels.get(name, {}).get(label, ())
            patterns = wanted.split("|") if operator.endswith("~") else [re.escape(wanted)]
            if label != "le" and not all(any(re.fullmatch(each, value) for value in has) for each in patterns):
                yield f"{name}{{{label}{operator}{wanted}}}"


def test_the_queries_of_the_documents_ask_for_what_there_is() -> None:
    texts = [(REPO / file).read_text() for file in tracked() if file.suffix == ".md"]
    assert sum(len(SELECTOR.findall(text)) for text in texts) > 5
    assert [wrong for text in texts for wrong in wrong_selectors(text, catalogue())] == []


def test_a_query_for_what_is_not_there_is_found() -> None:
    known = Metric("headrace_edge_x_seconds", "edge", "histogram", "seconds", ".", {"kind": ["a", "b"]})
    text = 'headrace_edge_x_seconds_bucket{kind=~"a|b",le="0.1"} headrace_edge_x_seconds_sum{kind!="c", why="a"}'
    assert list(wrong_selectors(text, [known])) == [
        "headrace_edge_x_seconds_sum{kind!=c}",
        "headrace_edge_x_seconds_sum{why=a}",
    ]


def words_of(folder: str, pattern: str) -> set[str]:
    """What the core calls things that happen, by how it writes them."""
    return {word for file in sources(SERVICES / "headrace" / folder) for word in re.findall(pattern, file.read_text())}


def test_what_publishers_can_cause_has_a_value_of_its_own() -> None:
    oddities = words_of("core/rtmp", r'noise\["(\w+)"') | words_of("core/flv", r'Ignored\("([^"]+)"')
    assert len(oddities) > 20
    assert oddities <= set(edge.ODDITIES)
    ends = words_of("core/rtmp", r'code="(\w+)"') | words_of("core/rtmp", r'_close\("(\w+)"')
    ends |= words_of("edge", r'_close\("(\w+)"')
    assert {"media_idle", "bad_version"} <= ends
    assert ends <= set(edge.CLOSES)
    drops = words_of("edge", r'_dropped\("(\w+)"')
    assert len(drops) > 3
    assert drops <= set(edge.DROPS)


def test_every_error_of_the_log_has_a_value_of_its_own() -> None:
    codes = {each.code for each in _subclasses(LogError)}
    assert {"log_empty", "log_unreachable", "log_diverged", "log_unavailable"} <= codes
    assert codes - {"log_diverged"} <= set(origin.LOG_CODES)
    assert codes - {"log_unavailable", "log_disagreement"} <= {*transcoder.OUTCOMES, "log"}


def _subclasses(kind: type[LogError]) -> set[type[LogError]]:
    return {kind}.union(*(_subclasses(each) for each in kind.__subclasses__()))


def test_documents_and_tests_speak_of_metrics_that_exist() -> None:
    spoken = [file for file in tracked() if file.suffix in (".md", ".py", ".yaml", ".json")]
    assert list(unknown_mentions(REPO, [file for file in spoken if file.name != "test_metrics.py"], catalogue())) == []


def test_a_metric_that_nobody_has_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "`rate(headrace_edge_x_seconds_bucket[1m])`, `headrace_edge_typo_total`, headrace_edge"
    )
    known = Metric("headrace_edge_x_seconds", "edge", "histogram", "seconds", ".", {})
    assert list(unknown_mentions(tmp_path, [Path("a.md")], [known])) == ["a.md: headrace_edge_typo_total"]


def outsiders(services: Path) -> list[str]:
    """Modules that make metrics which nobody bounds."""
    return sorted(
        {
            each.importer
            for each in imports(services, "headrace")
            if each.imported.startswith("prometheus_client") and each.importer not in EXPORTERS
        }
    )


def test_only_telemetry_imports_the_client(tmp_path: Path) -> None:
    assert outsiders(SERVICES) == []
    plant(tmp_path, "headrace/edge/planted.py", "from prometheus_client import Counter\n")
    assert outsiders(tmp_path) == ["headrace.edge.planted"]


def test_a_value_that_is_on_no_list_becomes_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # as users have it
    registry = CollectorRegistry()
    counter = Counter("planted_drops_total", "Drops.", {"reason": ("full", "late")}, registry=registry)
    counter.labels("late").inc()
    counter.labels("a peer's word").inc(2)
    assert registry.get_sample_value("planted_drops_total", {"reason": "full"}) == 0
    assert registry.get_sample_value("planted_drops_total", {"reason": "late"}) == 1
    assert registry.get_sample_value("planted_drops_total", {"reason": "other"}) == 2
    assert b"peer" not in generate_latest(registry)


def test_a_declared_metric_can_be_found_by_whoever_scrapes() -> None:
    assert {each.name.removesuffix("_total") for each in declared()} <= {each.name for each in REGISTRY.collect()}

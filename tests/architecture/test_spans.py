"""Every span has its name in one place, is begun somewhere, and stands in the page on traces."""

import re

from headrace.runtime.telemetry.recording import MAX_KEPT, REFUSALS_S
from headrace.runtime.telemetry.spans import Attribute, Span
from headrace.runtime.telemetry.trace_export import MAX_WAITING
from tests.support.house import REPO, SERVICES

PAGE = (REPO / "docs" / "how-to" / "traces.md").read_text()
CODE = "\n".join(file.read_text() for file in SERVICES.rglob("*.py") if "telemetry" not in file.parts)


def test_the_page_has_every_span_and_no_other() -> None:
    table = PAGE.partition("| span | service |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE) != []
    assert set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)) == {span.value.name for span in Span}


def test_the_page_has_every_attribute_and_no_other() -> None:
    table = PAGE.partition("| attribute | |")[2].partition("\n\n")[0]
    first = [row.partition("|")[2].partition("|")[0] for row in table.splitlines()]
    named = {name for cell in first for name in re.findall(r"`([^`]+)`", cell)}
    assert named == {attribute.value for attribute in Attribute}


def test_every_span_is_begun_by_somebody() -> None:
    assert [span for span in Span if f"Span.{span.name}" not in CODE] == []


def test_the_page_has_the_bounds_as_they_are() -> None:
    assert f"{MAX_WAITING:,} wait at most" in PAGE
    assert f"up to {REFUSALS_S} a second" in PAGE
    assert len(Span) < MAX_KEPT

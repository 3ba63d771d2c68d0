"""One distribution with an extra for each service: an image carries what its service imports, all of it locked."""

import tomllib
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.house import REPO, SERVICES, Import, imports, within

PROJECT: dict[str, Any] = tomllib.loads((REPO / "pyproject.toml").read_text())
SERVICES_WITH_EXTRAS = ("edge", "transcoder", "origin", "control")
SHARED = ("headrace.core", "headrace.runtime", "headrace.wire")
LOG = "headrace.livelog"  # of all services but the edge, which carries no client of it
# Top-level module → the distributions that install it.
OWNERS = metadata.packages_distributions()


def declared(extra: str) -> list[Requirement]:
    """What `headrace[extra]` asks for by name."""
    project = PROJECT["project"]
    return [Requirement(line) for line in project["dependencies"] + project["optional-dependencies"][extra]]


def closure(requirements: list[Requirement]) -> set[str]:
    """Every distribution that these bring along, by canonical name, as installed here."""
    seen: set[tuple[str, str]] = set()
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                needed = [Requirement(line) for line in metadata.requires(name) or []]
                waiting += [each for each in needed if each.marker is None or each.marker.evaluate({"extra": extra})]
    return {name for name, _ in seen}


def foreign(seen: Iterator[Import], allowed: set[str]) -> list[str]:
    """Imports of distributions that are not in `allowed`; the standard library has none.

    Of a namespace that several share (`google`, `opentelemetry`) one of them is enough.
    """
    found = [(f"{importer} imports {imported}", owners_of(imported)) for importer, imported in seen]
    return [words for words, owners in found if owners and not owners & (allowed | {"headrace"})]


def owners_of(module: str) -> set[str]:
    """The distributions that a module may have come with, by canonical name."""
    return {canonicalize_name(owner) for owner in OWNERS.get(module.split(".")[0], [])}


@pytest.mark.parametrize("extra", ["edge", "origin", "control"])
def test_no_ffmpeg_comes_with(extra: str) -> None:
    assert "av" not in closure(declared(extra))


def test_ffmpeg_comes_with_the_transcoder() -> None:
    assert "av" in closure(declared("transcoder"))


@pytest.mark.parametrize("service", SERVICES_WITH_EXTRAS)
def test_a_service_imports_only_what_its_extra_declares(service: str) -> None:
    direct = {canonicalize_name(requirement.name) for requirement in declared(service)}
    for package in (f"headrace.{service}", *SHARED, *([LOG] if service != "edge" else [])):
        assert foreign(imports(SERVICES, package), set(direct)) == []


def test_an_edge_knows_no_log() -> None:
    for package in ("headrace.edge", *SHARED):
        assert [each for each in imports(SERVICES, package) if within(each.imported, LOG)] == []


def test_the_whole_imports_only_what_the_extras_declare() -> None:
    every = {canonicalize_name(each.name) for service in SERVICES_WITH_EXTRAS for each in declared(service)}
    assert foreign(imports(SERVICES, "headrace"), set(every)) == []


def test_an_undeclared_import_is_found() -> None:
    seen = iter([Import("headrace.edge.planted", "av.container"), Import("headrace.edge.planted", "socket")])
    assert foreign(seen, closure(declared("edge"))) == ["headrace.edge.planted imports av.container"]


def test_all_is_the_sum_of_the_services() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    (everything,) = [Requirement(line) for line in extras["all"]]
    assert everything.name == "headrace"
    assert everything.extras == extras.keys() - {"all"}


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_everything_declared_is_locked_with_a_hash(lock: str) -> None:
    groups = PROJECT["dependency-groups"]
    wanted = [Requirement(line) for line in groups["build"] + (groups["dev"] if "dev" in lock else [])]
    for extra in SERVICES_WITH_EXTRAS:
        wanted += declared(extra)
    pins = pinned(REPO.joinpath(lock).read_text())
    for requirement in wanted:
        versions = pins[canonicalize_name(requirement.name)]
        assert all(requirement.specifier.contains(version, prereleases=True) for version in versions), requirement


def test_the_two_locks_agree() -> None:
    run, dev = (pinned(REPO.joinpath(name).read_text()) for name in ("requirements.lock", "requirements-dev.lock"))
    assert {name: dev[name] for name in run} == run


def test_a_pin_without_a_hash_is_found() -> None:
    with pytest.raises(AssertionError):
        pinned("typer==1.0\nrich==15.0 \\\n    --hash=sha256:00\n")


def pinned(lock: str) -> dict[str, set[str]]:
    """The versions that a lock file pins, by distribution; every one of them must carry a hash."""
    pins: dict[str, set[str]] = {}
    for entry in lock.replace("\\\n", " ").splitlines():
        if entry and not entry.startswith("#"):
            name, _, rest = entry.partition("==")
            assert "--hash=sha256:" in rest, f"{entry} has no hash"
            pins.setdefault(canonicalize_name(name), set()).add(rest.split()[0])
    return pins

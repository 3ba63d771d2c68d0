"""What all end-to-end tests share: the clips, a viewer, a running stack for each module; and its words on a failure.

Law: no key is ever said; each test ends with a search for all that were made.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e import sources
from tests.support import kept
from tests.support.reader import Viewer
from tests.support.stack import Process, Stack

LAST_LINES = 80


@pytest.fixture(scope="session", autouse=True)
def no_key_is_said_at_the_end() -> Iterator[None]:
    """By what lives longer than a test."""
    yield
    kept.told()


@pytest.fixture(autouse=True)
def no_key_is_said() -> Iterator[None]:
    """Every test ends with a search for every key that any of them has made."""
    yield
    for process in Process.alive:
        process.search()
    kept.told()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[sources.Source], Path]:
    """The file of a source, made when first asked for."""
    folder = tmp_path_factory.mktemp("clips")
    return lambda source: sources.file_of(source, folder)


@pytest.fixture(scope="session")
def viewer() -> Iterator[Viewer]:
    """Reads what is served."""
    viewer = Viewer()
    yield viewer
    viewer.close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A `headrace up` for this module's tests, which leave it running."""
    with Stack(tmp_path_factory.mktemp("data")) as stack:
        yield stack


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed:
        for process in Process.alive:
            report.sections.append((f"last words of {process.name}", "\n".join(process.lines[-LAST_LINES:])))
    return report  # type: ignore[return-value]

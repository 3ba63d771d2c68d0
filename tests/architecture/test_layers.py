"""Each import-linter contract goes red when it is broken. That they hold on the tree itself is `make lint`."""

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.house import REPO, copy_of_services, plant


class Plant(NamedTuple):
    """A violation: the file that breaks a contract, and the words in which import-linter must complain of it."""

    contract: str
    path: str
    source: str
    complaint: str


PLANTS = [
    Plant("layers", "headrace/attic/__init__.py", "", "headrace.attic"),
    Plant(
        "layers",
        "headrace/runtime/planted_upward.py",
        "import headrace.wire",
        "headrace.runtime.planted_upward -> headrace.wire",
    ),
    Plant(
        "layers",
        "headrace/livelog/planted_upward.py",
        "import headrace.origin",
        "headrace.livelog.planted_upward -> headrace.origin",
    ),
    Plant(
        "layers",
        "headrace/core/planted_outward.py",
        "import headrace.runtime",
        "headrace.core.planted_outward -> headrace.runtime",
    ),
    Plant(
        "layers",
        "headrace/edge/planted_neighbour.py",
        "import headrace.transcoder",
        "headrace.edge.planted_neighbour -> headrace.transcoder",
    ),
    Plant(
        "layers",
        "headrace/control/planted_neighbour.py",
        "import headrace.publisher",
        "headrace.control.planted_neighbour -> headrace.publisher",
    ),
    Plant(
        "layers",
        "headrace/origin/planted_upward.py",
        "import headrace.standalone",
        "headrace.origin.planted_upward -> headrace.standalone",
    ),
    Plant(
        "layers",
        "headrace/standalone/planted_upward.py",
        "import headrace.cli",
        "headrace.standalone.planted_upward -> headrace.cli",
    ),
    Plant("core-layers", "headrace/core/planted_new.py", "", "headrace.core.planted_new"),
    Plant(
        "core-layers",
        "headrace/core/hls/planted_neighbour.py",
        "import headrace.core.cmaf",
        "headrace.core.hls.planted_neighbour -> headrace.core.cmaf",
    ),
    Plant(
        "core-layers",
        "headrace/core/media/planted_upward.py",
        "import headrace.core.broadcast",
        "headrace.core.media.planted_upward -> headrace.core.broadcast",
    ),
    Plant(
        "wire",
        "headrace/edge/planted_protobuf.py",
        "import headrace.wire.v1.media_pb2",
        "headrace.edge.planted_protobuf",
    ),
    Plant("av", "headrace/transcoder/planted_av.py", "import av", "headrace.transcoder.planted_av"),
    Plant("fastapi", "headrace/control/planted_fastapi.py", "import fastapi", "headrace.control.planted_fastapi"),
    Plant(
        "opentelemetry",
        "headrace/edge/planted_tracing.py",
        "import opentelemetry.trace",
        "headrace.edge.planted_tracing",
    ),
    Plant("redis", "headrace/livelog/planted_redis.py", "import redis", "headrace.livelog.planted_redis"),
    Plant("sqlalchemy", "headrace/control/planted_sql.py", "import sqlalchemy", "headrace.control.planted_sql"),
    Plant(
        "rtmp",
        "headrace/edge/planted_rtmp.py",
        "import headrace.core.rtmp.server",
        "headrace.edge.planted_rtmp",
    ),
    # Two steps: the wire layer is allowed to edge, and brings av along.
    Plant("no-ffmpeg", "headrace/wire/planted_ffmpeg.py", "import av", "headrace.wire.planted_ffmpeg -> av"),
    Plant(
        "no-ffmpeg",
        "headrace/origin/planted_ffmpeg.py",
        "import headrace.wire.planted_ffmpeg",
        "headrace.origin.planted_ffmpeg",
    ),
]


def contract_names() -> dict[str, str]:
    """The contracts' names by their ids."""
    config = configparser.ConfigParser()
    config.read(REPO / ".importlinter")
    return {
        section.removeprefix("importlinter:contract:"): config[section]["name"]
        for section in config.sections()
        if section.startswith("importlinter:contract:")
    }


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of a copy of the tree that holds every plant: one run for all of them."""
    root = tmp_path_factory.mktemp("planted")
    services = copy_of_services(root)
    shutil.copy(REPO / ".importlinter", root)
    for planted in PLANTS:
        plant(services, planted.path, planted.source)
    return lint_imports(root)


def lint_imports(root: Path) -> str:
    """Import-linter's report on the tree below `root`, as wide as its words need."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    environment = {**os.environ, "PYTHONPATH": str(root / "services"), "COLUMNS": "400", "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("planted", PLANTS, ids=lambda planted: planted.path)
def test_a_planted_violation_is_named(report: str, planted: Plant) -> None:
    name = contract_names()[planted.contract]
    assert f"{name} BROKEN" in report
    # Each broken contract has a paragraph of its own, headed by its name and a rule.
    paragraph = report.split(f"\n{name}\n---", 1)[1]
    for other in contract_names().values():
        paragraph = paragraph.split(f"\n{other}\n---", 1)[0]
    assert planted.complaint in paragraph


def test_every_contract_has_a_plant() -> None:
    assert contract_names().keys() == {planted.contract for planted in PLANTS}

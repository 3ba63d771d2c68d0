"""The judge itself: a planted crash, a planted quadratic loop and planted leaks are all found, and nothing else is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.core.errors import RemoteProtocolError
from tests.fuzz import judge
from tests.fuzz.judge import Found, Shape, Target, feed, judge_growth, judge_leaks, judge_memory, judge_time

SHAPE = Shape(b"", b"a")


def test_an_error_that_is_not_allowed_is_let_through() -> None:
    def crash(data: bytes) -> None:
        data[0]

    with pytest.raises(IndexError):
        feed(Target("crash", crash), b"")


def test_an_error_of_the_house_is_allowed_where_the_table_says_so() -> None:
    def refuse(data: bytes) -> None:
        raise RemoteProtocolError("no")

    feed(Target("refuse", refuse, (RemoteProtocolError,)), b"")
    with pytest.raises(RemoteProtocolError):
        feed(Target("refuse", refuse), b"")


def test_an_error_without_a_code_is_found() -> None:
    def refuse(data: bytes) -> None:
        raise RemoteProtocolError("no", code="")

    with pytest.raises(Found, match="no code"):
        feed(Target("refuse", refuse, (RemoteProtocolError,)), b"")


def test_what_looks_at_all_that_came_before_for_each_byte_is_found() -> None:
    def quadratic(data: bytes) -> None:
        for end in range(0, len(data), 8):
            data[:end].count(b"b")

    with pytest.raises(Found, match="of the same shape"):
        judge_growth(Target("quadratic", quadratic, long_bytes=1 << 16), SHAPE)


def test_what_looks_at_every_byte_once_is_not() -> None:
    def linear(data: bytes) -> None:
        for byte in data:
            hash(byte)

    judge_growth(Target("linear", linear, long_bytes=1 << 16), SHAPE)


def test_a_slow_input_is_found() -> None:
    def slow(data: bytes) -> None:
        sum(range(3_000_000))

    with pytest.raises(Found, match="CPU time"):
        judge_time(Target("slow", slow, ms=1), b"")


def test_an_input_without_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(data: bytes) -> None:
        while True:
            pass

    monkeypatch.setattr(judge, "HANG_S", 0.2)
    with pytest.raises(Found, match="a hang"):
        judge_time(Target("hang", hang), b"")


def test_what_makes_much_of_little_is_found() -> None:
    def swell(data: bytes) -> None:
        bytearray(1000 * len(data))

    target = Target("swell", swell, kib=1)
    judge_memory(target, b"")
    with pytest.raises(Found, match="held at once"):
        judge_memory(target, bytes(100))


@pytest.mark.parametrize("size", [10, 1000])
def test_a_leak_is_found(size: int) -> None:
    kept: list[bytes] = []

    def leak(data: bytes) -> None:
        kept.append(bytes(bytearray(size)))

    with pytest.raises(Found, match="behind"):
        judge_leaks(Target("leak", leak), [b"a", b"b"])


def test_a_cache_that_fills_is_no_leak() -> None:
    kept: dict[bytes, bytes] = {}

    def keep(data: bytes) -> None:
        kept[data] = bytes(bytearray(1000))

    judge_leaks(Target("keep", keep), [b"a", b"b"])


PLANTED = """
import sys
from types import SimpleNamespace
import tests.fuzz.judge as judge
from tests.fuzz.judge import Target

def crash(data):
    if data[:1] >= b"\\x80":
        raise KeyError(data)

def hang(data):
    while data[:1] >= b"\\x80":
        pass

def leak(data, kept=[]):
    kept.append(bytes(1 << 17))

judge.HANG_S = 2
planted = {each.__name__: Target(each.__name__, each) for each in (crash, hang, leak)}
sys.modules["tests.fuzz.targets"] = SimpleNamespace(TARGETS=planted)  # in the place of the table
"""


@pytest.mark.parametrize(("plant", "word"), [("crash", "KeyError"), ("hang", "a hang"), ("leak", "out-of-memory")])
def test_atheris_finds_what_is_planted_and_tells_how_to_see_it_again(plant: str, word: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    root = Path(__file__).parents[2]
    (tmp_path / "sitecustomize.py").write_text(PLANTED)
    (tmp_path / "run.py").write_text(
        "import sys, tests.fuzz.__main__ as m, pathlib\n"
        "m.CORPUS = m.KEPT = pathlib.Path(sys.argv[1])\nm.FINDS = m.KEPT / 'finds'\nm.RSS_MB = 300\n"
        "sys.exit(m.main(sys.argv[2:]))\n"
    )
    path = f"{tmp_path}{os.pathsep}{root}{os.pathsep}{root / 'services'}"
    done = subprocess.run(
        [sys.executable, "run.py", str(tmp_path), plant],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "FUZZ_S": "40"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert word in done.stdout
    assert f"tests.fuzz.replay {plant} " in done.stdout

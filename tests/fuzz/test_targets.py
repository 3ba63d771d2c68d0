"""Every target: its whole corpus, inputs at random, and shapes that a careless parser pays for dearly."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.judge import LEAKS_OF, Shape, Target, feed, judge, judge_growth, judge_leaks
from tests.fuzz.kept import HERE, inputs_of
from tests.fuzz.targets import TARGETS

EXAMPLES = 20
MOST_BYTES = 1 << 20  # of all corpora together
targets = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
SHAPES = [
    pytest.param(target, shape, id=f"{target.name}-{number}")
    for target in TARGETS.values()
    for number, shape in enumerate(target.shapes)
]


def test_every_target_has_a_corpus_and_every_corpus_a_target() -> None:
    assert {folder.name for folder in HERE.iterdir()} == set(TARGETS)
    assert all(inputs_of(name) for name in TARGETS)


def test_the_corpora_are_small() -> None:
    assert sum(path.stat().st_size for name in TARGETS for path in inputs_of(name)) < MOST_BYTES


@targets
def test_what_was_found_once_holds_and_leaves_nothing_behind(target: Target) -> None:
    files = inputs_of(target.name)
    feed(target, b"")  # what is made once is no input's doing
    for file in files:
        try:
            judge(target, file.read_bytes())
        except Exception as error:
            error.add_note(f"see it again: python -m tests.fuzz.replay {target.name} {file}")
            raise
    judge_leaks(target, [file.read_bytes() for file in files[:: -(-len(files) // LEAKS_OF)]])


def damaged(name: str) -> st.SearchStrategy[bytes]:
    """Corpus inputs with some bytes changed, cut out, repeated, or joined with another's; or bytes at random."""
    known = st.sampled_from([file.read_bytes() for file in inputs_of(name)])

    @st.composite
    def broken(draw: st.DrawFn) -> bytes:
        data = bytearray(draw(known))
        for _ in range(draw(st.integers(1, 4))):
            at = draw(st.integers(0, len(data)))
            match draw(st.integers(0, 4)):
                case 0:
                    data[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
                case 1:
                    del data[at : at + draw(st.integers(1, 40))]
                case 2:
                    data[at:at] = draw(st.binary(max_size=8))
                case 3:
                    data[at:at] = data[at : at + draw(st.integers(1, 60))] * draw(st.integers(1, 3))
                case _:
                    data[at:] = draw(known)[at:]
        return bytes(data)

    return st.one_of(broken(), broken(), st.binary(max_size=60))


@targets
def test_whatever_bytes_come_it_holds(target: Target) -> None:
    @settings(max_examples=EXAMPLES, derandomize=True, database=None, deadline=None)
    @given(damaged(target.name))
    def holds(data: bytes) -> None:
        feed(target, data)

    holds()


@pytest.mark.parametrize(("target", "shape"), SHAPES)
def test_twice_the_bytes_cost_no_more_than_twice_the_time_and_memory(target: Target, shape: Shape) -> None:
    feed(target, b"")
    judge_growth(target, shape)

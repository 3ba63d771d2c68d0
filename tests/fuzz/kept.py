"""The inputs that are always fed: a folder for each target, a file for each input.

Law: a file's name is a word and what it is of, or a hash; its bytes are the input and nothing else.
"""

from pathlib import Path

HERE = Path(__file__).parent / "corpus"


def inputs_of(name: str) -> list[Path]:
    """The target's files, in a fixed order."""
    return sorted(path for path in (HERE / name).glob("*") if path.is_file())

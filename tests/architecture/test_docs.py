"""Documents do not drift from the tree: every relative link leads to a file."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.support.house import REPO, tracked

LINK = re.compile(r"\]\(([^)\s#]+)[^)]*\)")


def broken_links(root: Path, files: Iterable[Path]) -> Iterator[str]:
    """Links in Markdown files to what is not there; addresses with a scheme are somebody else's."""
    for file in files:
        for target in LINK.findall((root / file).read_text()):
            if ":" not in target and not (root / file.parent / target).exists():
                yield f"{file}: {target}"


def test_every_link_in_the_documents_leads_somewhere() -> None:
    assert list(broken_links(REPO, [file for file in tracked() if file.suffix == ".md"])) == []


def test_a_link_to_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("[here](README.md#top) ![gone](docs/planted.png) [far](https://example.org/x)")
    assert list(broken_links(tmp_path, [Path("README.md")])) == ["README.md: docs/planted.png"]

"""The player that tests bring along is the published one."""

import hashlib
from pathlib import Path

VENDOR = Path(__file__).parents[2] / "e2e/players/vendor"


def test_the_vendored_player_is_the_published_one_and_carries_its_licence() -> None:
    lines = [line.split("  ") for line in (VENDOR / "SHA256SUMS").read_text().splitlines()]
    sums = {name: digest for digest, name in lines}
    assert sums == {name: hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() for name in sums}
    assert {path.name for path in VENDOR.iterdir()} == {*sums, "SHA256SUMS", "README.md"}
    assert "Apache License" in (VENDOR / "shaka-player.LICENSE").read_text()

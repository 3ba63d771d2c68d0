"""The function library and its number go together: servers keep the one that they have."""

import hashlib
import re

from headrace.livelog.redis import library

# A release's library never changes under its number.
KNOWN = {"headrace_1": "ba2c45cbd822487f"}


def test_a_changed_library_has_a_new_number() -> None:
    digest = hashlib.sha256(library.code().encode()).hexdigest()[:16]
    assert KNOWN[library.NAME] == digest, "if a release has this number raise it; if none has, write the digest down"


def test_every_function_carries_the_librarys_name() -> None:
    names = set(re.findall(r"'(headrace_\d+_\w+)'", library.code()))
    called = {library.TAKEOVER, library.STAGE, library.PUBLISH, library.READ}
    assert names == {each.decode() for each in called}
    assert library.code().startswith(f"#!lua name={library.NAME}\n")

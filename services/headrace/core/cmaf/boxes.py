"""Boxes: length, type, content.

Law: boxes are built from the inside out and never patched. Source: ISO/IEC 14496-12 §4.2.
Neighbours: `init` and `fragment` are made of them.
"""


def box(kind: bytes, *content: bytes) -> bytes:
    """A box of type `kind` (4 bytes) around `content`, which must stay below 4 GiB."""
    return b"".join(((8 + sum(map(len, content))).to_bytes(4, "big"), kind, *content))


def full_box(kind: bytes, version: int, flags: int, *content: bytes) -> bytes:
    """A box with version (8 bits) and flags (24 bits)."""
    return box(kind, (version << 24 | flags).to_bytes(4, "big"), *content)

"""What the work at hand is about: the stream, run, session and attempt that every line below carries.

Law: bound once, where it becomes known; tasks that are started below inherit it, the caller's own work does not keep
it. Ids and numbers only, never a key. Neighbours: `logs` writes it into each line; what else wants to know of which run
it is asks `known`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

_about: ContextVar[Mapping[str, object]] = ContextVar("headrace_about", default=MappingProxyType({}))


@contextmanager
def about(**ids: object) -> Iterator[None]:
    """Inside the block, and in every task that is started there, `ids` are known besides what was known before.

    The block must not be left by another task than the one that entered it, so none in an asynchronous generator.
    """
    token = _about.set(MappingProxyType({**_about.get(), **ids}))
    try:
        yield
    finally:
        _about.reset(token)


def learn(**ids: object) -> None:
    """The same for the rest of the task that it is called in, which has to be the work's own."""
    _about.set(MappingProxyType({**_about.get(), **ids}))


def known() -> Mapping[str, object]:
    """What is known here and now, the oldest first."""
    return _about.get()

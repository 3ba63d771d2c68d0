"""A connection inside a transaction, as repositories use it.

Law: SQLAlchemy's own fulfils it (SQLite), and `postgres` has another. Statements are SQLAlchemy's on both.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Executable


class Dialect(Protocol):
    """Which SQL this is."""

    @property
    def name(self) -> str:
        """`postgresql` or `sqlite`."""


class Answer(Protocol):
    """What a statement did. A row has its columns' names."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""

    @property
    def returns_rows(self) -> bool:
        """Whether it was a question."""

    def __iter__(self) -> Iterator[Any]: ...

    def all(self) -> Sequence[Any]:
        """Every row."""

    def first(self) -> Any:
        """The first row, or None."""

    def one(self) -> Any:
        """The only row."""

    def scalar_one(self) -> Any:
        """The only row's only value."""

    def scalar_one_or_none(self) -> Any:
        """The same, None where there is no row."""


class Connection(Protocol):
    """Repositories' way to the database."""

    @property
    def dialect(self) -> Dialect:
        """Which SQL this is."""

    async def execute(self, statement: Executable, parameters: Mapping[str, Any] | None = None, /) -> Answer:
        """Do this. Raises what the driver raises; `Database` makes words of it."""

    async def execute_last(self, statement: Executable, parameters: Mapping[str, Any] | None = None, /) -> Answer:
        """The same for what nothing follows: it is committed in the same message, and keeps rows from others no longer
        than the server needs. Where it is all that the transaction does it may be done twice.
        """

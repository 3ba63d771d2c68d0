"""Which schema a database has, and which ones this version works on.

Law: a schema's number is that of its last migration, and a release has at most one. A release only adds, so its code
works on its own schema and on the next one's: old replicas run on while a rollout has migrated, and may be restarted or
rolled back to. Two steps ahead something may be gone that this version needs.
"""

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from headrace.control.db.engines import DatabaseError

SCRIPTS = Path(__file__).parent / "migrations"


def newest() -> int:
    """The schema of this version."""
    head = ScriptDirectory(str(SCRIPTS)).get_current_head()
    assert head is not None, "there are migrations"
    return int(head)


def current(connection: Connection) -> int:
    """The schema of the database; 0 where it has none. Raises DatabaseError where it is somebody else's."""
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None:
        return 0
    if not revision.isdecimal():
        raise DatabaseError(f"the database's schema {revision!r} is none of Headrace's")
    return int(revision)


def check(connection: Connection) -> None:
    """Raises DatabaseError where this version cannot work on the database's schema."""
    has, needs = current(connection), newest()
    if has < needs:
        raise DatabaseError(f"the database has {name(has)}, this version needs {name(needs)}: run `headrace migrate`")
    refuse_the_future(has)


def refuse_the_future(has: int) -> None:
    """Raises DatabaseError where `has` is more than one step ahead of this version."""
    if has > newest() + 1:
        raise DatabaseError(
            f"the database has {name(has)}, this version knows {name(newest())} and works on one more at most: "
            "run a newer version"
        )


def name(number: int) -> str:
    """As people read it."""
    return f"schema {number:04}" if number else "no schema"

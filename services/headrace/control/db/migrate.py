"""Bringing a database to this version's schema.

Law: forward only; safe to run at every start and from several processes.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from headrace.control.db.database import DatabaseError, explain

SCRIPTS = Path(__file__).parent / "migrations"


async def migrate(url: str) -> None:
    """Run every migration that `url` (an asyncio SQLAlchemy URL) has not seen. Raises DatabaseError."""
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(upgrade)
            await connection.commit()
    except (SQLAlchemyError, CommandError, OSError) as error:
        raise DatabaseError(explain(error)) from error
    finally:
        await engine.dispose()


def upgrade(connection: Connection) -> None:
    """The same on an open connection; the caller commits."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")

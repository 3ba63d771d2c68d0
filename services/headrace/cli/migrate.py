"""`headrace migrate`: the database to this version's schema."""

import asyncio
from typing import Annotated

import typer

from headrace.core.errors import HeadraceError
from headrace.runtime.config import variable
from headrace.runtime.telemetry import logs

VARIABLE = "HEADRACE_DATABASE_URL"


class NoDatabase(HeadraceError):
    """Nobody said which."""

    code = "no_database"


def migrate(
    database_url: Annotated[
        str | None, typer.Option(help=f"postgresql://USER@HOST:PORT/NAME; better in {VARIABLE}, with its password.")
    ] = None,
    wait: Annotated[float, typer.Option(min=0, help="For how many seconds to try while it cannot be reached.")] = 60.0,
) -> None:
    """Bring the database to this version's schema; safe at any time, and from several places at once."""
    from headrace.control.db import migrate as run

    url = database_url or variable(VARIABLE)
    if not url:
        raise NoDatabase(f"which database? Give --database-url, or set {VARIABLE}")
    logs.configure("migrate", "migrate")
    done = asyncio.run(run(url, wait))
    if done.before == done.after:
        typer.echo(f"Schema {done.after:04}: nothing to do.")
    else:
        typer.echo(f"Schema {done.before:04} → {done.after:04}.")

"""The root of the command line: the commands, and how they fail.

Law: imports of services happen inside the commands, so that `headrace --help` is quick and a missing extra is a
sentence.
"""

import sys
from importlib import metadata

import typer

from headrace.cli import migrate, publish, streams, up
from headrace.cli.doctor import command as doctor
from headrace.core.errors import HeadraceError
from headrace.runtime.telemetry.redaction import redact

EXTRAS = {
    "av": "transcoder",
    "fastapi": "control",
    "sqlalchemy": "control",
    "alembic": "control",
    "aiosqlite": "control",
    "psycopg": "control",
}

app = typer.Typer(
    name="headrace",
    help="Live video in over RTMP, out as HLS renditions.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("up")(up.up)
app.command("publish")(publish.publish)
app.command("migrate")(migrate.migrate)
app.command("doctor")(doctor.doctor)
app.add_typer(streams.app, name="streams")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"headrace {metadata.version('headrace')}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def main() -> None:
    """The console script."""
    try:
        app()
    except HeadraceError as error:
        sys.exit(f"headrace: {redact(str(error))}")
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        sys.exit(f"headrace: this needs the {extra!r} extra: pip install 'headrace[{extra}]' (or 'headrace[all]')")

"""The command: reads settings, runs the checks, prints, and exits.

Law: what it cannot be run with is one sentence and exit code 2, before anything is asked.
"""

import asyncio
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headrace.cli import api as cli_api
from headrace.cli.doctor import printing
from headrace.cli.doctor.results import NOT_RUN_EXIT, Result, as_json, exit_code, with_words
from headrace.core.errors import HeadraceError
from headrace.runtime.aio.clock import monotonic_s
from headrace.runtime.telemetry import logs
from headrace.runtime.telemetry.redaction import redact

if TYPE_CHECKING:
    from headrace.cli.doctor.settings import Asked

DATA = Path(".headrace")


def doctor(
    api: Annotated[
        str | None, typer.Option(help="Where control's API is; else this machine's HEADRACE_HTTP_PORT.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option("--api-key", help="The API key; else HEADRACE_API_KEY, else the data's.")
    ] = None,
    data: Annotated[Path, typer.Option(help="The data directory of `headrace up`.")] = DATA,
    rtmp: Annotated[
        str | None, typer.Option(help="rtmp://HOST/live; else what the API or the environment says.")
    ] = None,
    origin: Annotated[
        str | None, typer.Option(help="Where the origin is; else what the API or the environment says.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, max=300, help="How long each check may take, seconds.")] = 10.0,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 where there are warnings.")] = False,
    as_json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Look a running installation over: say what is wrong and what to do. Changes nothing."""
    logs.configure()
    try:
        asked = _asked(api, api_key, data, rtmp, origin)
        results, took_s = _examined(asked, timeout)
    except HeadraceError as error:
        print(f"headrace doctor: {redact(str(error))}", file=sys.stderr)
        raise typer.Exit(NOT_RUN_EXIT) from None
    except ModuleNotFoundError as error:
        package = (error.name or "headrace").partition(".")[0]
        if package == "headrace":
            raise
        print(f"headrace doctor: {package} is missing: pip install 'headrace[control]'", file=sys.stderr)
        raise typer.Exit(NOT_RUN_EXIT) from None
    code = exit_code(results, strict=strict)
    if as_json_:
        typer.echo(json.dumps(as_json(results, version("headrace"), took_s, code)))
    else:
        printing.show(results, took_s)
    raise typer.Exit(code)


def _asked(api: str | None, api_key: str | None, data: Path, rtmp: str | None, origin: str | None) -> "Asked":
    from headrace.cli.doctor.settings import DEFAULT_API, Asked, DoctorSettings
    from headrace.livelog.settings import LogSettings
    from headrace.runtime.tls import TlsSettings

    settings = DoctorSettings()
    return Asked(
        api=api or DEFAULT_API.format(port=settings.http_port),
        api_key=cli_api.find_key(api_key, data),
        data=data,
        rtmp=rtmp or settings.public_rtmp_url,
        origin=origin or settings.public_http_url,
        settings=settings,
        log=LogSettings(),
        tls=TlsSettings(),
    )


def _examined(asked: "Asked", within_s: float) -> tuple[list[Result], float]:
    from pydantic import SecretStr

    from headrace.cli.doctor.checks import examine
    from headrace.control.settings import ControlSettings

    control = ControlSettings(api_key=SecretStr(asked.api_key))
    began_s = monotonic_s()
    results = asyncio.run(examine(asked, version("headrace"), control, within_s))
    # What other packages and servers say is among the words.
    return [with_words(result, redact) for result in results], monotonic_s() - began_s

"""`headrace up`: everything on one machine."""

import asyncio
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from headrace.runtime.lifecycle import CannotStart, run_until_signalled
from headrace.runtime.telemetry import logs, traces
from headrace.runtime.telemetry.settings import TelemetrySettings

if TYPE_CHECKING:
    from headrace.standalone.up import Started


def up(
    data: Annotated[Path, typer.Option(help="Where keys and the database are kept.")] = Path(".headrace"),
    rtmp: Annotated[str, typer.Option(help="Address for encoders, HOST:PORT; port 0 takes a free one.")] = (
        "127.0.0.1:1935"
    ),
    http: Annotated[str, typer.Option(help="Address for the API, players and the console.")] = "127.0.0.1:8080",
    demo: Annotated[bool, typer.Option("--demo", help="Also publish a demo stream.")] = False,
) -> None:
    """Run all of Headrace on this machine."""
    logs.configure("standalone", "standalone")
    importlib.import_module("av")  # the workers need it, and would only say so when somebody publishes
    from headrace.standalone.settings import Address, UpSettings
    from headrace.standalone.up import up as run_up

    settings = UpSettings(data, Address(*_split("--rtmp", rtmp)), Address(*_split("--http", http)), demo)

    async def run(stopping: asyncio.Event) -> None:
        await run_up(settings, stopping, _announce)

    with traces.sent(TelemetrySettings(), "standalone", "standalone"):
        run_until_signalled(run)


def _split(option: str, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise CannotStart(f"{option} {text}: HOST:PORT is needed")
    return host.strip("[]"), int(port)


def _announce(started: "Started") -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print("[bold]Headrace is up.[/bold] Ctrl-C stops it.\n")
    if started.new_api_key:
        console.print(
            f"  API key:  {started.new_api_key}  [dim](kept in {escape(str(started.data / 'api-key'))})[/dim]"
        )
    console.print(f"  Console:  {escape(started.console_url)}")
    console.print(f"  OBS:      Server {started.rtmp_url}, Stream Key from the console")
    console.print(f"  ffmpeg:   ffmpeg -re -i FILE -c copy -f flv {started.rtmp_url}/STREAM_KEY")
    if started.demo_url:
        console.print(f"  Demo:     {started.demo_url}")
    console.print()

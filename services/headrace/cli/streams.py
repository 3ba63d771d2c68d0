"""`headrace streams`: create, list and delete streams."""

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from headrace.cli import api

app = typer.Typer(help="Create, list and delete streams.", no_args_is_help=True)

Url = Annotated[str, typer.Option("--url", help="Where the API is.")]
Key = Annotated[str | None, typer.Option("--api-key", help="The API key; else HEADRACE_API_KEY, else the data's.")]
Data = Annotated[Path, typer.Option("--data", help="The data directory of `headrace up`.")]
Json = Annotated[bool, typer.Option("--json", help="Print the API's JSON.")]

URL = "http://127.0.0.1:8080"
DATA = Path(".headrace")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="A name for people.")],
    profile: Annotated[str, typer.Option(help="auto, passthrough, source+auto, or a JSON object with rungs.")] = "auto",
    url: Url = URL,
    api_key: Key = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Create a stream and show its key, once."""
    try:
        wanted = json.loads(profile) if profile.lstrip().startswith("{") else profile
    except ValueError as error:
        raise typer.BadParameter(f"not JSON: {error}", param_hint="--profile") from error
    made = api.call(url, api.find_key(api_key, data), "POST", "/v1/streams", {"name": name, "profile": wanted})
    if as_json:
        typer.echo(json.dumps(made))
        return
    typer.echo(f"Stream:      {made['id']}")
    typer.echo(f"OBS server:  {made['ingest']['rtmp_url']}")
    typer.echo(f"Stream key:  {made['stream_key']}")
    typer.echo(f"Playlist:    {made['playback']['hls_url']}")


@app.command("list")
def list_streams(url: Url = URL, api_key: Key = None, data: Data = DATA, as_json: Json = False) -> None:
    """List all streams."""
    found = _all(url, api.find_key(api_key, data))
    if as_json:
        typer.echo(json.dumps(found))
        return
    table = Table("id", "name", "state", "playlist", box=None)
    for stream in found:
        table.add_row(stream["id"], stream["name"], stream["state"], stream["playback"]["hls_url"])
    Console(highlight=False, soft_wrap=True).print(table)


@app.command()
def delete(stream: str, url: Url = URL, api_key: Key = None, data: Data = DATA) -> None:
    """Delete a stream; what is live ends."""
    api.call(url, api.find_key(api_key, data), "DELETE", f"/v1/streams/{quote(stream, safe='')}")
    typer.echo(f"Deleted {stream}.")


def _all(url: str, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = api.call(url, key, "GET", f"/v1/streams?limit=100{cursor}")
        found += page["streams"]
        if not page.get("next_cursor"):
            return found
        cursor = f"&cursor={quote(page['next_cursor'], safe='')}"

"""`headrace publish`: a file to any RTMP server."""

import asyncio
import contextlib
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from headrace.runtime.aio.clock import monotonic_s
from headrace.runtime.aio.tasks import task_group
from headrace.runtime.lifecycle import run_until_signalled


def publish(
    file: Annotated[Path, typer.Argument(help="A file with H.264 video and AAC sound.")],
    to: Annotated[str, typer.Option("--to", help="rtmp://HOST[:PORT]/APP/KEY")],
    loop: Annotated[bool, typer.Option("--loop", help="Again and again, without a seam.")] = False,
) -> None:
    """Publish a file over RTMP, as an encoder would."""
    from headrace.publisher.rtmp import publish as publish_source
    from headrace.publisher.sources.file import FileSource

    source = FileSource(file, loop=loop)
    total_s = source.description.duration_s

    async def run(stopping: asyncio.Event) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[rate]}"),
        )
        with Progress(*columns) as progress:
            bar = progress.add_task(file.name, total=total_s, rate="")
            began_s = monotonic_s()

            def on_progress(media_ms: int, sent_bytes: int) -> None:
                passed_s = max(monotonic_s() - began_s, 0.001)
                rate = f"{sent_bytes * 8 / passed_s / 1e6:.1f} Mbit/s"
                progress.update(bar, completed=media_ms / 1000, rate=rate)

            async with task_group() as group:
                publishing = group.create_task(publish_source(to, source, on_progress=on_progress))
                stop = group.create_task(stopping.wait())
                await asyncio.wait((publishing, stop), return_when=asyncio.FIRST_COMPLETED)
                stop.cancel()
                publishing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await publishing

    run_until_signalled(run)

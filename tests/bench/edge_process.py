"""The edge that `bench-edge` measures: the real service in a process of its own. Prints `port <n>`."""

import asyncio
import sys

from headrace.edge.service import EdgeSettings, build
from headrace.runtime.lifecycle import run_until_signalled


async def main(stopping: asyncio.Event) -> None:
    """Serve until signalled."""
    edge = build(EdgeSettings(rtmp_host="127.0.0.1", rtmp_port=0, control_target=sys.argv[1]))
    async with asyncio.TaskGroup() as group:
        group.create_task(edge.run())
        print(f"port {edge.rtmp_port}", flush=True)
        await stopping.wait()
        edge.stop()


if __name__ == "__main__":
    run_until_signalled(main)

"""Capacity: what this node can encode, what its runs cost, and whether there is room for one more.

Law: the unit is pixels/s of x264's default preset. An idle transcoder takes any run: better late than refused where
there is nobody else. Neighbours: `worker.measure` measures in a process of its own, `supervisor` takes and releases.
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from headrace.core.broadcast import Plan, Refused, Source
from headrace.core.broadcast.refusals import Reason
from headrace.runtime.config import child_environment
from headrace.runtime.telemetry.logs import logger
from headrace.transcoder import metrics

USABLE_PERCENT = 70  # live encoding has peaks, and the measured picture is an easy one
UNKNOWN = 1  # pixels/s: room for one run, since an idle transcoder takes any
PASSTHROUGH_PIXELS_S = 1_000_000  # a run without encoding: a process that moves bytes
MEASURE_COMMAND = (sys.executable, "-m", "headrace.transcoder.worker.measure")
MEASURE_TIMEOUT_S = 20.0

_log = logger(__name__)


def cost(plan: Plan, source: Source) -> int:
    """What a run costs, pixels/s: its decoding and each rung."""
    if not plan.encoded:
        return PASSTHROUGH_PIXELS_S
    decoding = source.video.width * source.video.height * plan.source_rate
    return int(decoding + sum(rung.width * rung.height * rung.frame_rate for rung in plan.encoded))


class Capacity:
    """The account. `total` is `UNKNOWN` until something else is known; `known`: no measurement is to be waited for."""

    def __init__(self, total: int) -> None:
        self.used = 0
        self.know(total)
        self.known = total > 0

    def know(self, total: int) -> None:
        """The measurement is done; 0: it could not be."""
        self.known = True
        self.total = total or UNKNOWN
        metrics.CAPACITY.set(self.total)

    def take(self, pixels_s: int) -> None:
        """Room for a run. Raises Refused when there is none, but never when idle."""
        if self.used and self.used + pixels_s > self.total:
            raise Refused(Reason.NO_CAPACITY, "This transcoder has no room for the stream now.")
        self.used += pixels_s
        metrics.USED.set(self.used)

    def release(self, pixels_s: int) -> None:
        """The run is gone."""
        self.used -= pixels_s
        metrics.USED.set(self.used)


async def measured(file: Path | None) -> int:
    """What this node can encode, pixels/s: as `file` says, else by a second of encoding, which `file` then keeps.

    0 where it cannot be measured.
    """
    if file is not None and (known := _read(file)):
        return known
    try:
        total = await _measure() * USABLE_PERCENT // 100
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        _log.warning("capacity cannot be measured", extra={"why": repr(error)})
        return 0
    _log.info("capacity measured", extra={"pixels_per_s": total})
    if file is not None:
        _write(file, total)
    return total


async def _measure() -> int:
    process = _spawn()
    try:
        async with asyncio.timeout(MEASURE_TIMEOUT_S):
            printed, _ = await asyncio.to_thread(process.communicate)
    finally:
        process.kill()  # the thread ends with it, however this one does
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, MEASURE_COMMAND)
    return int(printed)


def _spawn() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        MEASURE_COMMAND,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=child_environment(),
        start_new_session=True,
    )


def _read(file: Path) -> int:
    try:
        return int(json.loads(file.read_text())["pixels_per_s"])
    except (OSError, ValueError, LookupError, TypeError):
        return 0  # not there, or not ours: measure again


def _write(file: Path, total: int) -> None:
    try:
        file.write_text(json.dumps({"pixels_per_s": total}))
    except OSError as error:
        _log.warning("capacity cannot be kept", extra={"file": str(file), "why": str(error)})

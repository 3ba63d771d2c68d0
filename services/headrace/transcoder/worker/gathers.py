"""What FFmpeg does not know of newer processors: that gathers are slow.

Law: only how fast a picture is scaled changes, never a byte of it. libswscale's AVX2 scaler loads its pixels by gather
instructions. FFmpeg knows AMD's up to Zen 4 for slow ones and leaves them there; on Zen 5 it does not (1080p to 720p:
2.1 ms a picture with them, 1.2 without). PyAV has no call for it, so this asks libavutil itself.
Neighbours: `line` calls it before there is a scaler.
"""

import ctypes
from contextlib import suppress
from pathlib import Path

from av import _core

SLOW_GATHER = 0x2000000  # AV_CPU_FLAG_SLOW_GATHER of libavutil/cpu.h
CPUINFO = Path("/proc/cpuinfo")


def avoid_slow_gathers() -> None:
    """Tell FFmpeg, in this process, that an AMD processor's gathers are slow."""
    if CPUINFO.exists() and "AuthenticAMD" in CPUINFO.read_text():
        with suppress(OSError, AttributeError):  # a PyAV that hides its FFmpeg scales slowly, and works
            libavutil = ctypes.CDLL(_core.__file__)  # a library's handle finds what it is linked with, too
            libavutil.av_force_cpu_flags(libavutil.av_get_cpu_flags() | SLOW_GATHER)

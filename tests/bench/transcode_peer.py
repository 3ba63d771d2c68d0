"""The other side: Debian's ffmpeg, which makes the same ladder with the same settings in one command.

It is given what is cheapest in processor time: one thread for each codec. Its fragments are as long as our parts.
"""

import re
import subprocess
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from headrace.core.broadcast import AudioRung, Plan, VideoRung
from headrace.core.media import TICKS_PER_S
from headrace.transcoder.worker.encode import x264_params
from tests.bench.transcode_usage import Usage, watch

FFMPEG = "/usr/bin/ffmpeg"
_QUIET = (FFMPEG, "-nostdin", "-hide_banner", "-y")


def version() -> str:
    """The peer and its x264, in a few words."""
    said = subprocess.run([FFMPEG, "-version"], capture_output=True, text=True, check=True).stdout
    library = next(Path("/usr/lib").glob("*/libx264.so.*"), Path("libx264.so"))
    return f"ffmpeg {said.split()[2]} (Debian), {library.name}, one thread for each codec"


def transcode(film: Path, plan: Plan, folder: Path) -> tuple[Usage, dict[str, Path]]:
    """What it used, and a file for each rung."""
    assert plan.audio is not None
    files = {name: folder / f"theirs-{name}.mp4" for name in plan.rung_names}
    scaled = [f"[{r.name}]scale={r.width}:{r.height}:flags=bicubic[{r.name}s]" for r in plan.encoded]
    split = f"[0:v]split={len(scaled)}" + "".join(f"[{r.name}]" for r in plan.encoded)
    command = [*_QUIET, "-loglevel", "error", "-threads", "1", "-i", str(film), "-filter_complex_threads", "1"]
    command += ["-filter_complex", ";".join([split, *scaled])]
    for rung in plan.encoded:
        command += [*_video(rung, plan), *_fragments(plan), str(files[rung.name])]
    command += [*_audio(plan.audio), *_fragments(plan), str(files[plan.audio.name])]
    return watch(subprocess.Popen(command).pid), files


def psnr_db(film: Path, plan: Plan, files: Mapping[str, Mapping[str, Path]]) -> dict[str, dict[str, float]]:
    """By side and rung: luma PSNR against the film, scaled to the rung directly."""
    inputs = [film]
    step = f"settb=1/{TICKS_PER_S},setpts=N*{TICKS_PER_S / plan.source_rate}"  # by count, whatever zero is
    sides = list(files)
    chains = [f"[0:v]split={len(plan.encoded)}" + "".join(f"[{r.name}]" for r in plan.encoded)]
    for rung in plan.encoded:
        copies = "".join(f"[{rung.name}{side}]" for side in sides)
        scale = f"scale={rung.width}:{rung.height}:flags=bicubic"
        chains.append(f"[{rung.name}]{scale},{step},split={len(sides)}{copies}")
        for side in sides:
            chains.append(f"[{len(inputs)}:v]{step}[{side}{rung.name}]")
            chains.append(f"[{side}{rung.name}][{rung.name}{side}]psnr@{side}_{rung.name}[{len(inputs)}]")
            inputs.append(files[side][rung.name])
    command = [*_QUIET, *(argument for path in inputs for argument in ("-i", str(path)))]
    command += ["-filter_complex", ";".join(chains)]
    command += [argument for index in range(1, len(inputs)) for argument in ("-map", f"[{index}]", "-f", "null", "-")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    found = {name: float(y) for name, y in re.findall(r"\[psnr@(\w+) @ \w+\] PSNR y:([\d.]+)", said)}
    return {side: {r.name: found[f"{side}_{r.name}"] for r in plan.encoded} for side in sides}


def _video(rung: VideoRung, plan: Plan) -> list[str]:
    encoding = rung.encoding
    assert encoding is not None
    every_s = Fraction(plan.segment, TICKS_PER_S)
    return [
        *("-map", f"[{rung.name}s]", "-fps_mode", "passthrough", "-c:v", "libx264", "-threads", "1"),
        *("-preset", encoding.preset, "-profile:v", "high", "-crf", str(encoding.crf)),
        *("-maxrate", f"{encoding.maxrate_kbps}k", "-bufsize", f"{encoding.bufsize_kbps}k"),
        *(
            "-x264-params",
            x264_params(rung.frame_rate),
            "-forced-idr",
            "1",
            "-force_key_frames",
            f"expr:gte(t,n_forced*{every_s})",
        ),
    ]


def _audio(rung: AudioRung) -> list[str]:
    form = ("-ac", str(rung.channels), "-ar", str(rung.sample_rate))
    return ["-map", "0:a", "-c:a", "aac", "-aac_coder", "fast", "-b:a", f"{rung.kbps}k", *form]


def _fragments(plan: Plan) -> list[str]:
    return ["-f", "mp4", "-movflags", "+cmaf", "-frag_duration", str(1_000_000 * plan.part // TICKS_PER_S)]

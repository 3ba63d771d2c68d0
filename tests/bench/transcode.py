"""`make bench-transcode`: what a worker costs for a ladder, against ffmpeg's own command for the same.

Both sides make 30 s of each film to 720p, 480p, 360p and AAC, in turns, from the file and as fast as they can. Their
pictures are counted and compared with the film scaled directly; bits and memory stand beside. A last run is paced:
how long after its last access unit a part leaves a worker that makes the automatic ladder of a 720p30 source.
"""

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median, quantiles

import av

from headrace.core.broadcast import Plan
from tests.bench import transcode_ours, transcode_peer
from tests.bench.film import film
from tests.bench.report import report
from tests.integration.transcoder.harness import clip_of

FILMS = ("1080p24", "1080p60")
HEIGHTS = (720, 480, 360)
LADDER = {"rungs": [{"height": height} for height in HEIGHTS], "audio_kbps": 128}
REPEATS = 3
PACED_S = 15
LONGEST_DELAY_MS = 250


def main() -> None:
    """Measure and report."""
    figures: dict[str, float] = {}
    goals: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="bench-transcode-") as folder:
        for name in FILMS:
            figures |= _compared(name, Path(folder))
            goals |= {f"cpu_ratio_{name}": "<= 1.0"}
            goals |= {f"psnr_{height}p_{name}_db_more": ">= -0.1" for height in HEIGHTS}
        figures |= _delays(Path(folder))
    goals["part_delay_720p30_ms_p50"] = f"<= {LONGEST_DELAY_MS}"
    report("transcode", figures, goals, transcode_peer.version())


def _compared(name: str, folder: Path) -> dict[str, float]:
    path = film(name)
    clip = clip_of(path)
    plan = clip.plan(LADDER)
    ours, theirs = [], []
    files: dict[str, Mapping[str, Path]] = {}
    for _ in range(REPEATS):
        ours.append(transcode_ours.transcode(clip, plan))
        files["ours"] = ours[-1].write(folder)
        usage, files["theirs"] = transcode_peer.transcode(path, plan, folder)
        theirs.append(usage)
        _same_work(plan, len(clip.shown), files)
    cpu_s = median(one.usage.cpu_s for one in ours)
    peer_cpu_s = median(one.cpu_s for one in theirs)
    figures = {
        f"cpu_ratio_{name}": cpu_s / peer_cpu_s,
        f"cpu_s_{name}": cpu_s,
        f"peer_cpu_s_{name}": peer_cpu_s,
        f"feeding_cpu_s_{name}": median(one.feeding_s for one in ours),
        f"peak_rss_{name}_mib": median(one.usage.peak_mib for one in ours),
        f"peer_peak_rss_{name}_mib": median(one.peak_mib for one in theirs),
    }
    psnr = transcode_peer.psnr_db(path, plan, files)
    for rung in plan.encoded:
        which = f"{rung.name}_{name}"
        figures[f"psnr_{which}_db_more"] = psnr["ours"][rung.name] - psnr["theirs"][rung.name]
        figures[f"peer_psnr_{which}_db"] = psnr["theirs"][rung.name]
        for side, prefix in ("ours", ""), ("theirs", "peer_"):
            _, size = _packets(files[side][rung.name])
            figures[f"{prefix}bitrate_{which}_kbps"] = size * 8 / 1000 / float(len(clip.shown) / plan.source_rate)
    return figures


def _same_work(plan: Plan, pictures: int, files: Mapping[str, Mapping[str, Path]]) -> None:
    """Raise SystemExit unless both sides made every picture of every rung, and as much sound."""
    counts = {side: {rung: _packets(path)[0] for rung, path in made.items()} for side, made in files.items()}
    video = {side: [made[rung.name] for rung in plan.encoded] for side, made in counts.items()}
    sound = [made["audio"] for made in counts.values()]
    # An encoder's first unit primes the next: its file says to skip it, our timeline never has it.
    if any(set(made) != {pictures} for made in video.values()) or max(sound) - min(sound) > 2:
        raise SystemExit(f"unequal work: {counts}, of {pictures} pictures")


def _packets(path: Path) -> tuple[int, int]:
    """How many a file holds, and their bytes."""
    with av.open(path) as container:
        sizes = [packet.size for packet in container.demux() if packet.size]
    return len(sizes), sum(sizes)


def _delays(folder: Path) -> dict[str, float]:
    """Of a source without B-frames, as encoders send it that are set to low latency."""
    source = folder / "720p30.mp4"
    command = [transcode_peer.FFMPEG, "-nostdin", "-loglevel", "error", "-i", str(film("1080p60")), "-t", str(PACED_S)]
    command += ["-vf", "fps=30,scale=1280:720", "-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency"]
    subprocess.run([*command, "-g", "60", "-c:a", "copy", str(source)], check=True)
    clip = clip_of(source)
    run = transcode_ours.transcode(clip, clip.plan("auto"), paced=True)
    percentiles = quantiles(run.delays_ms, n=100)
    return {"part_delay_720p30_ms_p50": percentiles[49], "part_delay_720p30_ms_p99": percentiles[98]}


if __name__ == "__main__":
    main()

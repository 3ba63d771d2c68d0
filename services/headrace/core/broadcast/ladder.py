"""The automatic ladder: which encodings a source deserves.

Law: never upscale, keep the aspect ratio, even sizes, square pixels. A rung is a 16:9 box (turned for an upright
source) into which the picture is fitted, so wide films and upright phones get the rungs their pixels deserve.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from headrace.core.broadcast.profile import DEFAULT_CRF, RungSpec
from headrace.core.broadcast.source import VideoSource

HIGH_RATE = Fraction(31)  # frames/s above which a rung counts as a 50/60 fps one
RATE_SLACK = Fraction(1, 2)  # 30.0 allows 30.03, as cameras and capture cards declare it


@dataclass(frozen=True, slots=True)
class Step:
    """A rung of the default ladder: box height, highest rate, kbit/s below and above 31 fps."""

    height: int
    fps: int
    kbps: int
    kbps_high: int


# Between Apple's authoring table and shaka-streamer's defaults.
DEFAULT = (
    Step(1080, 60, 4500, 6000),
    Step(720, 60, 2800, 4000),
    Step(540, 30, 1800, 1800),
    Step(360, 30, 700, 700),
    Step(240, 30, 300, 300),
)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A rung that fits a source: pixels, every `stride`-th picture, CRF and its cap in kbit/s."""

    name: str
    width: int
    height: int
    stride: int
    crf: int
    maxrate_kbps: int


def auto_ladder(video: VideoSource) -> tuple[Fitted, ...]:
    """The rungs of `DEFAULT` that `video` deserves, highest first; at least one."""
    fitted = []
    for step in DEFAULT:
        kbps = step.kbps_high if video.frame_rate > HIGH_RATE and step.fps > HIGH_RATE else step.kbps
        rung = fit(RungSpec(step.height, step.fps, maxrate_kbps=kbps), video)
        if rung is None:
            continue
        native = rung.stride == 1 and rung.height >= _shown(video.width, video.height, video.sar)[1] - 1
        if native and 0 < video.kbps <= kbps:
            continue  # the same pixels at more bits than came in
        fitted.append(rung)
    return tuple(fitted) or (_native(video),)


def explicit_ladder(specs: tuple[RungSpec, ...], video: VideoSource) -> tuple[Fitted, ...]:
    """The rungs asked for that do not upscale, each size once, highest first; the source's own size if none is left."""
    fits = (fit(spec, video) for spec in sorted(specs, key=lambda s: -s.height))
    by_size = {(r.width, r.height): r for r in fits if r is not None}
    return tuple(by_size.values()) or (_native(video),)


def fit(spec: RungSpec, video: VideoSource) -> Fitted | None:
    """`spec` for this source, or None where its box is larger than the picture in both directions."""
    return _fit(spec, video.width, video.height, video.sar, video.frame_rate)


@lru_cache(maxsize=256)  # sources come in few sizes and rates, and control plans hundreds a second
def _fit(spec: RungSpec, wide: int, high: int, sar: Fraction, rate: Fraction) -> Fitted | None:
    width, height = _shown(wide, high, sar)
    box_w, box_h = spec.height * 16 // 9, spec.height
    if height > width:
        box_w, box_h = box_h, box_w
    if box_w > width and box_h > height:
        return None
    scale = min(Fraction(box_w) / width, Fraction(box_h) / height, Fraction(1))
    out_w, out_h = _even(width * scale, width), _even(height * scale, height)
    kbps = spec.maxrate_kbps or _kbps_for(out_w * out_h)
    return Fitted(
        f"{spec.height}p",
        out_w,
        out_h,
        _stride(rate, spec.fps),
        spec.crf,
        kbps,
    )


def _native(video: VideoSource) -> Fitted:
    width, height = (_even(x, x) for x in _shown(video.width, video.height, video.sar))
    kbps = min(_kbps_for(width * height), video.kbps or 100_000)
    return Fitted(f"{height}p", width, height, _stride(video.frame_rate, 60), DEFAULT_CRF, max(kbps, 150))


def _shown(width: int, height: int, sar: Fraction) -> tuple[Fraction, Fraction]:
    """Width and height in square pixels, without upscaling: the longer-pixel direction is shrunk."""
    if sar <= 0 or sar == 1:
        return Fraction(width), Fraction(height)
    if sar > 1:
        return Fraction(width), height / sar
    return width * sar, Fraction(height)


def _stride(rate: Fraction, fps: int) -> int:
    stride = 1
    while rate / stride > fps + RATE_SLACK:
        stride += 1
    return stride


def _kbps_for(pixels: int) -> int:
    nearest = min(DEFAULT, key=lambda s: abs(s.height * s.height * 16 // 9 - pixels))
    return nearest.kbps


def _even(x: Fraction, most: Fraction) -> int:
    """The nearest even number that is not above `most`, at least 2."""
    return max(2, min(2 * round(x / 2), 2 * (most // 2)))

"""The multivariant playlist of a run: its variants, its audio rendition, and what bandwidth they need.

Law: what a client may rely on is declared before it can be measured. An encoded rung's rates come from the plan, so
they never change:
BANDWIDTH = 1.05 * (sum over video and audio of maxrate + bufsize / TARGETDURATION), AVERAGE-BANDWIDTH = the sum of
the caps. What passes through has no cap: its peak and mean are measured over the segments listed now, with a tenth on
top, rounded up to the next quarter of an octave: equal on every origin, and the same again until the source really
changes. Source: RFC 8216bis §4.1, §4.4.6; Apple's authoring specification 1.28, 1.29, 1.32, 9.x.
Neighbours: `playlist` (the model).
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from headrace.core.broadcast import AudioRung, Plan, VideoRung
from headrace.core.hls.listing import InitSection, MediaPlaylist
from headrace.core.hls.playlist import RunModel
from headrace.core.media import TICKS_PER_S

FIRST_VARIANT_BPS = 2_000_000  # Apple's authoring specification, 1.32: what a player without experience starts with
OVERHEAD = Fraction(105, 100)
MEASURED_MARGIN = Fraction(110, 100)
LEAST_MEASURED_BPS = 64_000
_AUDIO_GROUP = "audio"
_STEPS = (Fraction(1), Fraction(1189, 1000), Fraction(1414, 1000), Fraction(1682, 1000))  # 2^(0/4) .. 2^(3/4)


class Rates(NamedTuple):
    """bit/s: the highest over about a target duration, and the mean."""

    peak: int
    mean: int


def multivariant(model: RunModel, prefix: str = "", query: str = "") -> str | None:
    """The playlist's text, or None while the run has nothing to list.

    `prefix` ("" or a path with its slash) stands before each child's URI, `query` ("" or "?name=value…", safe in a
    URI and between quotes) after it.
    """
    plan = model.plan
    if plan is None:
        return None
    playlists = {name: playlist for name in model.rungs if (playlist := model.playlist(name))}
    if not playlists:
        return None
    return "\n".join(_lines(plan, playlists, prefix, query)) + "\n"


def _lines(plan: Plan, playlists: dict[str, MediaPlaylist], prefix: str, query: str) -> Iterator[str]:
    yield "#EXTM3U"
    if plan.encoded:
        yield "#EXT-X-INDEPENDENT-SEGMENTS"
    audio = plan.audio if plan.audio and plan.audio.name in playlists else None
    sound: InitSection | None = None
    sound_rates = Rates(0, 0)
    if audio is not None:
        sound = _init(playlists[audio.name])
        sound_rates = _audio_rates(audio, playlists[audio.name])
        channels = f',CHANNELS="{sound.channels}"' if sound.channels else ""
        uri = f"{prefix}{audio.name}/index.m3u8{query}"
        yield (
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{_AUDIO_GROUP}",NAME="Audio",DEFAULT=YES,AUTOSELECT=YES'
            f'{channels},URI="{uri}"'
        )
    variants = []
    for rung in plan.video:
        if rung.name in playlists:
            own = _video_rates(rung, playlists[rung.name])
            variants.append((Rates(own.peak + sound_rates.peak, own.mean + sound_rates.mean), rung.name))
    for rates, name in _ordered(variants):
        yield _stream_inf(rates, _init(playlists[name]), sound)
        yield f"{prefix}{name}/index.m3u8{query}"


def _stream_inf(rates: Rates, picture: InitSection, sound: InitSection | None) -> str:
    codecs = f"{picture.codecs},{sound.codecs}" if sound else picture.codecs
    group = f',AUDIO="{_AUDIO_GROUP}"' if sound else ""
    return (
        f"#EXT-X-STREAM-INF:BANDWIDTH={rates.peak},AVERAGE-BANDWIDTH={rates.mean}"
        f',CODECS="{codecs}",RESOLUTION={picture.width}x{picture.height}'
        f",FRAME-RATE={_decimal(picture.frame_rate)},VIDEO-RANGE=SDR,CLOSED-CAPTIONS=NONE{group}"
    )


def _ordered(variants: list[tuple[Rates, str]]) -> list[tuple[Rates, str]]:
    """The variant nearest to 2 Mbit/s first, then from the highest to the lowest."""
    first = min(variants, key=lambda v: abs(v[0].mean - FIRST_VARIANT_BPS), default=None)
    return sorted(variants, key=lambda v: (v is not first, -v[0].peak))


def _init(playlist: MediaPlaylist) -> InitSection:
    return playlist.segments[-1].init


def _video_rates(rung: VideoRung, playlist: MediaPlaylist) -> Rates:
    if rung.encoding is None:
        return measured(playlist)
    cap = rung.encoding.maxrate_kbps * 1000
    burst = Fraction(rung.encoding.bufsize_kbps * 1000, playlist.target_duration_s)
    return Rates(int(OVERHEAD * (cap + burst)), cap)


def _audio_rates(rung: AudioRung, playlist: MediaPlaylist) -> Rates:
    if rung.passthrough:
        return measured(playlist)
    return Rates(int(OVERHEAD * rung.kbps * 1000), rung.kbps * 1000)  # constant rate: no buffer to speak of


def measured(playlist: MediaPlaylist) -> Rates:
    """What the listed segments took, with margin, in quarter octaves.

    The peak is the highest rate of consecutive stretches of half a target duration or a little more (RFC 8216bis §4.1).
    """
    shortest = playlist.target_duration_s * TICKS_PER_S // 2
    peak = Fraction(0)
    all_bits = all_ticks = bits = ticks = 0
    for segment in playlist.segments:
        if segment.gap:
            continue
        duration = segment.end - segment.start
        bits, ticks = bits + 8 * segment.size, ticks + duration
        all_bits, all_ticks = all_bits + 8 * segment.size, all_ticks + duration
        if ticks >= shortest:
            peak = max(peak, Fraction(bits * TICKS_PER_S, ticks))
            bits = ticks = 0
    mean = Fraction(all_bits * TICKS_PER_S, all_ticks) if all_ticks else Fraction(0)
    return Rates(_step_up(max(peak, mean)), _step_up(mean))


def _step_up(bps: Fraction) -> int:
    """The first quarter octave above `LEAST_MEASURED_BPS` that holds `bps` and its margin."""
    wanted = bps * MEASURED_MARGIN
    octave = LEAST_MEASURED_BPS
    while octave * 2 <= wanted:
        octave *= 2
    steps = (int(octave * step) for step in _STEPS)
    return next((step for step in steps if step >= wanted), octave * 2)


def _decimal(rate: Fraction) -> str:
    """Frames/s with three decimals, half up (RFC 8216bis §4.4.6.2)."""
    thousandths = (2000 * rate.numerator + rate.denominator) // (2 * rate.denominator)
    return f"{thousandths // 1000}.{thousandths % 1000:03}"

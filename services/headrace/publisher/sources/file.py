"""A media file as a source, without encoding.

Law: what the file holds is what is published; a file that is not H.264 and AAC is refused with a sentence.
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext

from headrace.core.codec.h264 import AvcConfig, annexb_to_sample
from headrace.core.flv import Metadata
from headrace.publisher.media import Description, Item, SourceError

MS = Fraction(1, 1000)


class FileSource:
    """The first video and audio track of `path`, once or for ever."""

    def __init__(self, path: Path, *, loop: bool = False) -> None:
        """Raises SourceError."""
        self._path = path
        self._loop = loop
        with self._opened() as container:
            video = next(iter(container.streams.video), None)
            audio = next(iter(container.streams.audio), None)
            if video is None or video.codec_context.name != "h264":
                raise SourceError(f"{path}: an H.264 video track is needed")
            if audio is not None and audio.codec_context.name != "aac":
                raise SourceError(f"{path}: its sound is {audio.codec_context.name}, AAC is needed")
            extradata = video.codec_context.extradata or b""
            if not extradata:
                raise SourceError(f"{path}: its H.264 track has no parameter sets")
            self._annexb = not extradata.startswith(b"\x01")
            duration_s = container.duration / av.time_base if container.duration else None
            self.description = Description(
                metadata=Metadata(
                    width=video.width,
                    height=video.height,
                    frame_rate=float(video.average_rate) if video.average_rate else None,
                    video_kbps=(video.bit_rate or 0) / 1000 or None,
                    audio_kbps=((audio.bit_rate or 0) / 1000 or None) if audio else None,
                    sample_rate=audio.rate if audio else None,
                    channels=audio.channels if audio else None,
                    video_codec="avc1",
                    audio_codec="mp4a" if audio else None,
                    encoder="headrace publish",
                ),
                avc=AvcConfig.from_annexb(extradata).build() if self._annexb else extradata,
                aac=_aac_config(container, audio) if audio is not None else b"",
                duration_s=None if loop else duration_s,
            )

    def items(self) -> Iterator[Item]:
        """The file's packets; when looping, each turn starts where the pictures of the one before ended."""
        start_ms = sound_end_ms = 0
        while True:
            end_ms = start_ms
            for item, duration_ms in self._turn(start_ms):
                if item.video:
                    end_ms = max(end_ms, item.dts_ms + duration_ms)
                elif item.dts_ms + duration_ms // 2 < sound_end_ms:
                    continue  # the sound of the turn before was longer than its pictures
                else:
                    sound_end_ms = item.dts_ms + duration_ms
                yield item
            if not self._loop or end_ms == start_ms:
                return
            start_ms = end_ms

    def _turn(self, start_ms: int) -> Iterator[tuple[Item, int]]:
        with self._opened() as container:
            video = container.streams.video[0]
            audio = next(iter(container.streams.audio), None)
            adts = audio is not None and not audio.codec_context.extradata
            to_asc = BitStreamFilterContext("aac_adtstoasc", audio) if adts else None
            first_ms: int | None = None
            for packet in container.demux([s for s in (video, audio) if s is not None]):
                if packet.dts is None or packet.time_base is None:
                    continue  # the demuxer's last word
                for unit in to_asc.filter(packet) if to_asc and packet.stream is audio else (packet,):
                    if unit.dts is None or unit.pts is None:
                        continue
                    base = packet.time_base / MS
                    dts_ms = round(unit.dts * base)
                    if first_ms is None:
                        first_ms = dts_ms
                    if dts_ms < first_ms:
                        continue  # priming that starts before the first picture
                    is_video = packet.stream is video
                    data = bytes(unit)
                    item = Item(
                        is_video,
                        unit.is_keyframe,
                        dts_ms - first_ms + start_ms,
                        round(unit.pts * base) - first_ms + start_ms,
                        annexb_to_sample(data) if is_video and self._annexb else data,
                    )
                    yield item, round((packet.duration or 0) * base)

    def _opened(self) -> av.container.InputContainer:
        try:
            return av.open(str(self._path))
        except (av.FFmpegError, OSError) as error:
            raise SourceError(f"{self._path}: {error.strerror or error}") from error


def _aac_config(container: av.container.InputContainer, audio: av.AudioStream) -> bytes:
    """The track's AudioSpecificConfig; a track with ADTS headers gives it with its first packet."""
    if audio.codec_context.extradata:
        return audio.codec_context.extradata
    to_asc = BitStreamFilterContext("aac_adtstoasc", audio)
    for packet in container.demux(audio):
        for unit in to_asc.filter(packet):
            sides = {side.data_type: bytes(side) for side in unit.iter_sidedata()}
            if config := sides.get("new_extradata"):
                return config
    raise SourceError("its AAC track has no configuration")

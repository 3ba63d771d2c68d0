"""AAC: AudioSpecificConfig and what it says of rate, channels and the length of an access unit.

Law: an AudioSpecificConfig that this module gives back parses to the same values again.
Source: ISO/IEC 14496-3 §1.6.2 (configuration), §4.4.1 (GASpecificConfig); RFC 6381 §3.3 for the codec string.
"""

from dataclasses import dataclass

from headrace.core.bits import BitReader, OutOfBits
from headrace.core.codec.errors import CodecError

_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_ESCAPED_RATE = 15
_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8, 11: 7, 12: 8, 14: 8}
_CHANNEL_CONFIGURATIONS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 11, 8: 7}

_LC = 2
_SBR = 5
_PS = 29
_GENERAL_AUDIO = (1, _LC, 3, 4)  # Main, LC, SSR, LTP
_SBR_SYNC = 0x2B7
_PS_SYNC = 0x548


@dataclass(frozen=True, slots=True)
class AudioSpecificConfig:
    """An AAC track's decoder configuration.

    `core_rate` and `core_channels` are those of the AAC layer; spectral band replication (`sbr_rate`, Hz, 0: none)
    doubles the rate that is heard, parametric stereo makes a mono core stereo. `frame_length` is 1024 or 960.
    """

    core_rate: int
    core_channels: int
    object_type: int = _LC
    sbr_rate: int = 0
    parametric_stereo: bool = False
    frame_length: int = 1024

    @property
    def sample_rate(self) -> int:
        """The rate of the decoded sound, Hz."""
        return self.sbr_rate or self.core_rate

    @property
    def channels(self) -> int:
        """The channels of the decoded sound."""
        return 2 if self.parametric_stereo else self.core_channels

    @property
    def frame_samples(self) -> int:
        """Samples per access unit at `sample_rate`: 1024, or 2048 for HE-AAC (960 or 1920 with short frames)."""
        return self.frame_length * self.sample_rate // self.core_rate

    @property
    def codec_string(self) -> str:
        """RFC 6381: `mp4a.40.2` for AAC-LC, `.5` for HE-AAC, `.29` for HE-AAC v2."""
        if self.parametric_stereo:
            return f"mp4a.40.{_PS}"
        return f"mp4a.40.{_SBR if self.sbr_rate else self.object_type}"

    @classmethod
    def parse(cls, data: bytes) -> "AudioSpecificConfig":
        """Read an AudioSpecificConfig, with hierarchical or backward-compatible SBR and PS signalling.

        Raises CodecError when it is cut short, reserved, or of an object type that is not AAC-LC, Main, SSR or LTP.
        """
        try:
            return cls._read(BitReader(data))
        except OutOfBits as error:
            raise CodecError(f"AudioSpecificConfig of {len(data)} bytes is cut short") from error

    @classmethod
    def _read(cls, reader: BitReader) -> "AudioSpecificConfig":
        object_type = _object_type(reader)
        core_rate = _rate(reader)
        channel_configuration = reader.read(4)
        sbr_rate = 0
        parametric_stereo = object_type == _PS
        if object_type in (_SBR, _PS):
            sbr_rate = _rate(reader)
            object_type = _object_type(reader)
        if object_type not in _GENERAL_AUDIO:
            raise CodecError(f"MPEG-4 audio object type {object_type} is not supported")
        frame_length, channels = _general_audio(reader, channel_configuration)
        if not sbr_rate:
            sbr_rate, parametric_stereo = _backward_compatible_sbr(reader, core_rate)
        elif not _sbr_fits(sbr_rate, core_rate):
            raise CodecError(f"SBR rate {sbr_rate} Hz does not fit the core's {core_rate} Hz")
        return cls(core_rate, channels, object_type, sbr_rate, parametric_stereo, frame_length)

    def build(self) -> bytes:
        """The record's bytes, SBR and PS signalled hierarchically. Raises CodecError when the channels have no code."""
        if self.core_channels not in _CHANNEL_CONFIGURATIONS:
            raise CodecError(f"no AAC channel configuration has {self.core_channels} channels")
        fields = [(_PS if self.parametric_stereo else _SBR, 5)] if self.sbr_rate else [(self.object_type, 5)]
        fields += [*_rate_fields(self.core_rate), (_CHANNEL_CONFIGURATIONS[self.core_channels], 4)]
        if self.sbr_rate:
            fields += [*_rate_fields(self.sbr_rate), (self.object_type, 5)]
        fields += [(int(self.frame_length == 960), 1), (0, 2)]
        value = width = 0
        for field, size in fields:
            value, width = value << size | field, width + size
        padding = -width % 8
        return (value << padding).to_bytes((width + padding) // 8, "big")


def _object_type(reader: BitReader) -> int:
    kind = reader.read(5)
    return 32 + reader.read(6) if kind == 31 else kind


def _rate(reader: BitReader) -> int:
    index = reader.read(4)
    if index == _ESCAPED_RATE:
        rate = reader.read(24)
        if not 1000 <= rate <= 192_000:  # 0 would divide by zero; the rest is no sound that anybody sends
            raise CodecError(f"AAC sample rate of {rate} Hz")
        return rate
    if index >= len(_RATES):
        raise CodecError(f"reserved AAC sampling frequency index {index}")
    return _RATES[index]


def _rate_fields(rate: int) -> list[tuple[int, int]]:
    return [(_RATES.index(rate), 4)] if rate in _RATES else [(_ESCAPED_RATE, 4), (rate, 24)]


def _general_audio(reader: BitReader, channel_configuration: int) -> tuple[int, int]:
    """GASpecificConfig: frame length in samples, channels."""
    frame_length = 960 if reader.flag() else 1024
    if reader.flag():  # dependsOnCoreCoder
        reader.skip(14)
    reader.flag()  # extensionFlag: nothing follows it for these object types
    if channel_configuration == 0:
        return frame_length, _program_config_channels(reader)
    if channel_configuration not in _CHANNELS:
        raise CodecError(f"reserved AAC channel configuration {channel_configuration}")
    return frame_length, _CHANNELS[channel_configuration]


def _program_config_channels(reader: BitReader) -> int:
    """Channels of a program_config_element (§4.4.1.1), whose comment is read over so that SBR can follow."""
    reader.skip(4 + 2 + 4)  # element_instance_tag, object_type, sampling_frequency_index
    front, side, back, lfe, data, coupling = (reader.read(size) for size in (4, 4, 4, 2, 3, 4))
    for size in (4, 4, 3):  # mono, stereo and matrix mix-down
        if reader.flag():
            reader.skip(size)
    channels = lfe
    for _ in range(front + side + back):
        channels += 2 if reader.flag() else 1
        reader.skip(4)
    reader.skip(4 * lfe + 4 * data + 5 * coupling)
    reader.skip(reader.remaining % 8)  # to the next byte of the record
    reader.skip(8 * reader.read(8))
    if channels == 0:
        raise CodecError("AAC program config element without channels")
    return channels


def _backward_compatible_sbr(reader: BitReader, core_rate: int) -> tuple[int, bool]:
    """The optional tail of an AudioSpecificConfig (§1.6.2.1, syncExtensionType): SBR rate or 0, parametric stereo.

    Encoders pad with what they like, so a tail that makes no sense is no tail.
    """
    try:
        if reader.read(11) != _SBR_SYNC or reader.read(5) != _SBR or not reader.flag():
            return 0, False
        rate = _rate(reader)
    except (CodecError, OutOfBits):
        return 0, False
    if not _sbr_fits(rate, core_rate):
        return 0, False
    return rate, reader.remaining >= 12 and reader.read(11) == _PS_SYNC and reader.flag()


def _sbr_fits(sbr_rate: int, core_rate: int) -> bool:
    """Whether SBR can give this rate: twice the core's, or the same when it is decoded down-sampled."""
    return sbr_rate in (core_rate, 2 * core_rate)

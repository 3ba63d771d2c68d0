"""H.264: the decoder configuration record (avcC), NAL units, and what the sequence parameter set says of the picture.

Law: samples inside the house are length-prefixed NAL units; Annex B exists only at the encoder's side.
Neighbours: `config` uses `nal` and `sps`.
"""

from headrace.core.codec.h264.config import AvcConfig
from headrace.core.codec.h264.nal import annexb_to_sample, is_idr, nal_types, split_annexb, split_sample
from headrace.core.codec.h264.sps import Colour, Sps

__all__ = ["AvcConfig", "Colour", "Sps", "annexb_to_sample", "is_idr", "nal_types", "split_annexb", "split_sample"]

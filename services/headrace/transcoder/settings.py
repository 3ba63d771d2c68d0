"""What a transcoder is told at its start.

Law: read once, immutable, passed down.
"""

from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from headrace.runtime.config import PodSettings

EVERYWHERE = ("0.0.0.0", "[::]")


class TranscoderSettings(PodSettings):
    """`HEADRACE_*` variables of the transcoder."""

    service = "transcoder"

    transcoder_target: str = "127.0.0.1:7071"
    """gRPC target to listen on: `host:port` or `unix:/path`; port 0 takes a free one."""

    transcoder_advertise: str = Field(default="", validate_default=True)
    """The target that edges dial, where it differs from the one listened on: needed where that one is 0.0.0.0."""

    control_target: str = "127.0.0.1:7070"
    """gRPC targets of control's replicas, separated by commas: a name counts for all its addresses. Each is told once a
    second what this pod is and does."""

    lease_public_keys: str = ""
    """Files of the Ed25519 public keys in PEM that control's lease tokens may be signed with, separated by commas; each
    file may hold several. They are read again when they change. Needed where services have certificates."""

    capacity_pixels_s: int = 0
    """What this node can encode, pixels/s; 0: measure it."""

    capacity_file: Path | None = None
    """Where the measurement is kept for the next start."""

    workers_warm: int = 1
    """Workers that are kept ready for runs to come: each saves one publish the start of a process; 0: none."""

    worker_input_bytes: int = 4 << 20
    """How much media may wait here for one worker to read it."""

    worker_output_bytes: int = 32 << 20
    """How much of what one worker made may wait for the log."""

    stall_timeout_s: float = 60.0
    """A worker that takes no media for so long is lost, seconds."""

    flush_timeout_s: float = 10.0
    """How long a worker may make nothing at the end, while there is still something to be made whole, seconds."""

    stop_timeout_s: float = 3.0
    """The same when the process is asked to stop, seconds."""

    @field_validator("transcoder_advertise")
    @classmethod
    def _can_be_dialled(cls, advertised: str, info: ValidationInfo) -> str:
        target = advertised or info.data.get("transcoder_target", "")
        if target.rpartition(":")[0] in EVERYWHERE:
            raise ValueError(f"nobody can dial {target}: name the address by which edges reach this transcoder")
        return advertised

"""An edge on real sockets, with encoders on one side and a control and a transcoder of the tests' own on the other."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from grpc.aio import Server

from headrace.core import flv, rtmp
from headrace.core.amf import Value
from headrace.core.broadcast import Epoch, Plan, Profile, Refused, RunId, Source, StreamId, StreamKey, make_plan
from headrace.core.broadcast.refusals import Reason
from headrace.core.codec.aac import AudioSpecificConfig
from headrace.core.codec.h264 import AvcConfig
from headrace.core.errors import HeadraceError
from headrace.core.media import Frame
from headrace.core.rtmp._commands import command
from headrace.core.rtmp._writer import ChunkWriter
from headrace.edge.service import Service, build
from headrace.edge.settings import EdgeSettings
from headrace.wire import media
from headrace.wire.channel import listen, make_server
from headrace.wire.control import (
    Allocated,
    HeldSession,
    OpenedSession,
    PodReport,
    ReleaseReason,
    Verdict,
    add_fleet,
    add_sessions,
)
from tests.support.asgi import ask
from tests.support.encode import encode_video

AVC = AvcConfig.from_annexb(encode_video()[0]).build()
AAC = AudioSpecificConfig(48_000, 2).build()
REPLAY_BYTES = 1 << 20
READ_BYTES = 1 << 18  # what uvloop reads at once
DEADLINE_S = 15.0


@dataclass
class Control:
    """Lets every key but a few publish; remembers what it was told. `state` and `verdicts` are for tests to change."""

    transcoder: str
    released: list[tuple[str, ReleaseReason, bool]] = field(default_factory=list)
    renewed: list[HeldSession] = field(default_factory=list)
    reports: list[PodReport] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    opened: int = 0
    state: dict[str, Any] = field(default_factory=dict)
    plan: Plan | None = None
    verdicts: dict[str, Verdict] = field(default_factory=dict)

    async def open_session(self, app: str, key: StreamKey, edge: str, peer: str, session_id: str) -> OpenedSession:
        self.asked.append(session_id)
        if app != "live":
            raise Refused(Reason.UNKNOWN_APP, f"there is no application {app!r}")
        if key.reveal() == "wrong":
            raise Refused(Reason.BAD_KEY, "unknown stream key")
        if key.reveal() == "busy":
            raise Refused(Reason.BUSY, "somebody publishes with this key")
        if key.reveal() == "at a loss":
            raise Refused(Reason.UNAVAILABLE, "there is no database")
        self.opened += 1
        opened = OpenedSession(StreamId("s"), RunId(key.reveal()), 1, session_id, Profile.parse("auto"), lease_s=0.6)
        return replace(opened, **self.state)

    async def renew(self, edge: str, sessions: Sequence[HeldSession]) -> Sequence[Verdict]:
        self.renewed.extend(sessions)
        return [
            replace(self.verdicts.get(one.run, Verdict("", held=True)), session_id=one.session_id) for one in sessions
        ]

    async def allocate(self, session_id: str, source: Source, anchor_ms: int) -> Allocated:
        plan = self.plan or make_plan(Profile.parse("auto"), source)
        return Allocated(plan, (self.transcoder,))

    async def release(self, session_id: str, reason: ReleaseReason, *, flushed: bool) -> None:
        self.released.append((session_id, reason, flushed))

    async def fleet(self, reports: AsyncIterator[PodReport]) -> None:
        async for report in reports:
            self.reports.append(report)


class Taken(HeadraceError):
    """What the log says to a writer whose run somebody else took."""

    code = "log_fenced"


@dataclass
class Transcoder:
    """Reads what comes, unless the run is held up; acknowledges what it read."""

    frames: dict[str, list[Frame]] = field(default_factory=dict)
    ends: dict[str, object] = field(default_factory=dict)
    opens: list[media.Open] = field(default_factory=list)
    fences: dict[str, Epoch] = field(default_factory=dict)
    trusted: set[str] | None = None  # lease tokens; None: nobody asks for any
    held_up: set[str] = field(default_factory=set)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, opened: media.Open, stream: media.IngestStream) -> None:
        self.opens.append(opened)
        frames = self.frames.setdefault(opened.run, [])
        if self.trusted is not None and (opened.token is None or opened.token.reveal() not in self.trusted):
            await stream.write(media.IngestRefused("lease_unknown_key", "the token's key is not known here"))
            return
        if opened.run == "refused":
            await stream.write(media.IngestRefused("no_capacity", "this transcoder is full"))
            return
        if opened.run in self.fences:
            await stream.write(media.IngestRefused("log_fenced", "held by another", self.fences[opened.run]))
            return
        await stream.write(media.Accepted(0))
        if opened.run in self.held_up:
            await self.go_on.wait()
        while (step := await stream.read()) is not None:
            if isinstance(step, media.Frames):
                frames.extend(step.frames)
                through = max(f.pts for f in frames)
                await stream.write(media.Progress(through, through))
                if opened.run == "taken" and len(frames) > 20:
                    raise Taken
                if opened.run == "dies" and len(frames) > 20:
                    raise Refused(Reason.WORKER_LOST, "the worker died")
            else:
                self.ends[opened.run] = step


@dataclass
class Stack:
    """One edge and its neighbours."""

    edge: Service
    control: Control
    transcoder: Transcoder
    control_at: Path
    controls: AsyncExitStack
    encoders: list["Encoder"] = field(default_factory=list)

    async def control_comes(self) -> None:
        """It serves."""

        def add(server: Server) -> None:
            add_sessions(server, self.control)
            add_fleet(server, self.control.fleet)

        await self.controls.enter_async_context(serving(self.control_at, add))

    async def control_goes(self) -> None:
        """It is killed; who comes next remembers nothing."""
        await self.controls.aclose()
        self.control_at.unlink(missing_ok=True)
        self.control = Control(self.control.transcoder)

    async def ready(self) -> str:
        """What `/readyz` says."""
        return (await ask(self.edge.http_app, "/readyz")).body.decode().strip()


@asynccontextmanager
async def edge_stack(tmp_path: Path) -> AsyncIterator[Stack]:
    """An edge that is up, and everything it talks to."""
    transcoder = Transcoder()
    control = Control(f"unix:{tmp_path}/t")
    async with serving(tmp_path / "t", lambda server: media.add_ingest(server, transcoder)):
        settings = EdgeSettings(
            rtmp_host="127.0.0.1",
            rtmp_port=0,
            control_target=f"unix:{tmp_path}/c",
            pod="edge-0",
            zone="z1",
            replay_bytes=REPLAY_BYTES,
        )
        edge = build(settings)
        async with AsyncExitStack() as controls, asyncio.TaskGroup() as group:
            stack = Stack(edge, control, transcoder, tmp_path / "c", controls)
            await stack.control_comes()
            group.create_task(edge.run())
            yield stack
            transcoder.go_on.set()
            for encoder in stack.encoders:
                encoder.writer.close()
                with contextlib.suppress(OSError):
                    await encoder.writer.wait_closed()
            edge.stop()


@asynccontextmanager
async def serving(path: Path, add: Callable[[Server], None]) -> AsyncIterator[None]:
    """A gRPC server on a Unix socket; the end of the block is that of a killed process."""
    server = make_server()
    add(server)
    listen(server, f"unix:{path}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(0)


class Encoder:
    """A publisher on a real socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.rtmp = rtmp.ClientConnection(random=os.urandom(rtmp.RANDOM_BYTES))
        self.events: list[rtmp.ClientEvent] = []

    @classmethod
    async def dial(cls, stack: Stack) -> "Encoder":
        encoder = cls(*await asyncio.open_connection("127.0.0.1", stack.edge.rtmp_port))
        stack.encoders.append(encoder)
        return encoder

    async def publish(self, key: str, app: str = "live") -> rtmp.PublishStarted | rtmp.PublishRefused:
        self.rtmp.connect(app, f"rtmp://127.0.0.1/{app}")
        self.rtmp.publish(key)
        answer = await self.wait_for((rtmp.PublishStarted, rtmp.PublishRefused))
        assert isinstance(answer, rtmp.PublishStarted | rtmp.PublishRefused)
        return answer

    async def wait_for(self, kinds: tuple[type, ...]) -> rtmp.ClientEvent:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                await self.flush()
                data = await self.reader.read(65_536)
                assert data, "the edge closed the connection"
                self.rtmp.receive_data(data, 0)
                while (event := self.rtmp.next_event()) is not None:
                    self.events.append(event)
                    if isinstance(event, kinds):
                        return event

    async def flush(self) -> None:
        self.writer.write(self.rtmp.data_to_send())
        await self.writer.drain()

    def command(self, name: str, transaction: float, *arguments: Value, stream_id: int = 0) -> None:
        """What an encoder of ours would not say."""
        self.writer.write(self.rtmp.data_to_send())
        writer, out = ChunkWriter(), bytearray()
        writer.chunk_size = 4096
        writer.write(out, 8, command(name, transaction, *arguments, stream_id=stream_id))
        self.writer.write(bytes(out))

    def describe(self) -> None:
        self.rtmp.send_metadata(0, dict(flv.metadata_values(flv.Metadata(frame_rate=25.0, audio_codec="mp4a"))))
        self.rtmp.send_video(0, flv.encode_video(flv.VideoConfig(AVC)))
        self.rtmp.send_audio(0, flv.encode_audio(flv.AudioConfig(AAC)))

    def frame(self, i: int, size: int = 1000) -> None:
        self.rtmp.send_video(40 * i, flv.encode_video(flv.VideoData(i % 50 == 0, 0, b"\0\0\0\1" + bytes([65]) * size)))
        self.rtmp.send_audio(40 * i, flv.encode_audio(flv.AudioData(b"a" * 100)))


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not true():  # noqa: ASYNC110 - what is waited for happens in another task's lists
            await asyncio.sleep(0.01)

"""Writes the corpora's beginnings: `python -m tests.fuzz.seeds`. They are committed, so nobody needs to run this.

Law: from the tables of wire vectors and from what real encoders say (Debian's ffmpeg, FFmpeg's libraries by PyAV, our
own client), whose first bytes are recorded here; whatever already has its file keeps it.
"""

import base64
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha1

from headrace.core.amf import encode_values
from headrace.core.broadcast import End, Entry, Gap, Hold, Init, Part, RunId, StreamId
from headrace.core.media import Frame, Kind
from headrace.core.rtmp import _messages as m
from headrace.core.rtmp._commands import command
from headrace.transcoder.pipe import Counted, Done, Failed, Made, Message, Ready, encode
from headrace.wire import control_messages, log, steps, types
from headrace.wire.control_messages import Allocated, HeldSession, PodReport, SessionReport, Verdict
from headrace.wire.v1 import control_pb2 as pb
from tests.fuzz.kept import HERE
from tests.fuzz.laws import publish
from tests.fuzz.laws import rtmp as talk
from tests.fuzz.laws.trust import _signed
from tests.fuzz.laws.wire import CODECS, row
from tests.fuzz.recording import Recorder, by_ffmpeg, by_pyav
from tests.fuzz.targets import TARGETS
from tests.support.broadcasts import PLAN, SOURCE
from tests.support.runs import parts_of, plan_of, start_of
from tests.unit.core.flv import vectors as flv
from tests.vectors.rtmp_chunks import BROKEN, VECTORS

RECORDED_BYTES = 6000  # of what an encoder says after its handshake

Seed = tuple[str, str, bytes]
"""Target, file, input."""


def recorded() -> Iterator[Seed]:
    """What encoders said, as bytes and as messages, and what they heard."""
    encoders: dict[str, Callable[[str], None]] = {"ffmpeg": by_ffmpeg, "pyav": by_pyav}
    for name, encoder in encoders.items():
        recorder = Recorder()
        encoder(f"rtmp://127.0.0.1:{recorder.port}/live/KEY")
        recorder.wait()
        wire = bytes(recorder.heard[len(talk.GREETING) :])
        yield "rtmp_server", f"real-{name}", b"\x01\x09" + wire[:RECORDED_BYTES]
        yield "rtmp_server", f"real-{name}-end", b"\x03\x0c" + wire[-500:]
        yield "rtmp_client", f"real-{name}", b"\x01\x09" + bytes(recorder.said[len(talk.GREETING) :])
        for choice in (0, 0x0D):
            rows, last = bytes((choice,)), 0
            for kind, at, body in recorder.messages:
                if len(rows) + len(body) < RECORDED_BYTES:
                    rows += publish.message(kind, body, at - last)
                    last = at
            yield "publish", f"real-{name}-{choice}", rows
        for kind, _, body in recorder.messages[:4]:
            yield ("flv_video", "flv_audio", "amf")[kind], f"real-{name}", body[:2000]


def of_rtmp() -> Iterator[Seed]:
    """Chunks and dialogues."""
    for vector in VECTORS:
        yield "rtmp_server", vector.name, b"\x03\x01" + vector.wire
    for name, wire, _ in BROKEN:
        yield "rtmp_server", name, b"\x03\x02" + wire[:3000]
    names = ("connect", "createStream", "publish", "deleteStream", "FCPublish", "FCUnpublish", "closeStream", "play")
    said = [command(name, 2 + at, None, "KEY", "live", stream_id=1) for at, name in enumerate(names)]
    rows = b"".join(talk.message(one.type, one.payload, one.stream_id) for one in said)
    media = talk.message(m.VIDEO, b"\x17\x01\0\0\0x", 1, 40) + talk.message(m.AUDIO, b"\xaf\x01x", 1, 20)
    both = talk.message(m.COMMAND, command("publish", 5, None, "OTHER", "live").payload, 2) + media.replace(
        b"\x01x", b""
    )
    ping = talk.message(m.USER_CONTROL, b"\0\x06\0\0\0\x01") + talk.message(m.SET_CHUNK_SIZE, b"\0\0\0\x01")
    tags = b"".join(
        bytes((kind, 0, 0, 1, 0, 0, at, 0, 0, 0, 0)) + b"x" + bytes(4) for at, kind in enumerate((8, 9, 18))
    )
    amf3 = talk.message(m.COMMAND_AMF3, b"\0" + command("createStream", 9, None).payload)
    for choice in (0x10, 0x14, 0x18, 0x1C, 0x00, 0x31, 0x0A):
        yield "rtmp_dialogue", f"publish-{choice:02x}", bytes((choice,)) + rows + media
    yield "rtmp_dialogue", "several", b"\x10" + both + media + ping + both
    yield "rtmp_dialogue", "aggregate", b"\x10" + talk.message(m.AGGREGATE, tags, 1) + amf3
    yield (
        "rtmp_dialogue",
        "metadata",
        b"\x10"
        + talk.message(m.DATA, encode_values("@setDataFrame", "onMetaData", {"width": 640.0, "videocodecid": 7.0}), 1),
    )
    yield "rtmp_server", "handshake", b"\x00\x07" + talk.BEGINNINGS[3]


def of_media() -> Iterator[Seed]:
    """Tag bodies, values and records."""
    for text, _ in [*flv.VIDEO_READ, *flv.VIDEO_WRITTEN]:
        yield "flv_video", text, bytes.fromhex(text)
    for text, _ in [*flv.AUDIO_READ, *flv.AUDIO_WRITTEN]:
        yield "flv_audio", text, bytes.fromhex(text)
    for text in flv.VIDEO_BROKEN:
        yield "flv_video", text, bytes.fromhex(text)
    yield "amf", "object", encode_values("connect", 1.0, {"app": "live", "n": [1.0, None, True], "o": {"x": "y"}})
    yield "amf", "long", encode_values("x" * 0x10001)[:3000]
    yield "amf", "amf3", bytes.fromhex("110a0b010361040103620601 11090503 0a0b01 0401".replace(" ", ""))
    yield "amf", "traits", bytes.fromhex("110a2301036103620401 0402 0a01 0403 0404".replace(" ", ""))
    avcc = bytes.fromhex(
        "0164001fffe1001b6764001facd9405005bb016a02020280000003008000001e478c18cb01000468efbcb0fdf8f800"
    )
    for name, record in (("high", avcc), ("baseline", publish.AVCC)):
        yield "avcc", name, record
        size = int.from_bytes(record[6:8], "big")
        yield "sps", name, record[8 : 8 + size]
        start = b"\0\0\1"
        annexb = start + record[8 : 8 + size] + start + b"\x68\xef\xbc\xb0" + start + b"\x65\x88\x84"
        yield "nal_units", f"{name}-annexb", b"\x02" + annexb
        yield "nal_units", f"{name}-header", b"\x03" + annexb
        yield "nal_units", f"{name}-sample", b"\x08\x00\x00\x00\x03\x65\x88\x84\x00\x00\x00\x01\x41"
    for text in ("1190", "1210", "2b11880056e500", "eb8a0800", "13885 6e5a54880".replace(" ", ""), "11b056e500",
                 "1000 04c8 0000 2041 00".replace(" ", ""), "f8e850 40".replace(" ", "")):  # fmt: skip
        yield "aac", text, bytes.fromhex(text)


def of_http() -> Iterator[Seed]:
    """Requests."""
    for number, text in enumerate(
        (
            "", "_HLS_msn=3", "_HLS_msn=3&_HLS_part=2", "_HLS_msn=3&_HLS_part=3", "_HLS_part=1",
            "_HLS_msn=1&_HLS_msn=1",
            "_HLS_msn=99999999999999999999", "_HLS_msn=-1", "_HLS_msn=+1", "_HLS_msn=1_0", "_HLS_msn=%31",
            "_HLS_skip=YES&_HLS_msn=2", "_HLS_unknown=1", "token=a%20b&x", "a=\"\\'<>", "_HLS_msn=\xb2", "?&=&&",
            "_HLS_msn=5&_HLS_part=999999", "_HLS_msn=" + "9" * 40,
        )
    ):  # fmt: skip
        for choice in (1, 2, 4, 0x12):
            yield "http_query", f"q{number}-{choice}", bytes((choice,)) + text.encode("latin-1")
    for number, text in enumerate(("bytes=0-9", "bytes=-5", "bytes=5-", "bytes=9-2", "bytes=0-0,2-3", "lines=1-2")):
        yield "http_header", f"range{number}", b"\x05" + text.encode()
    for number, text in enumerate(('"2.0-e1.m4s"', "*", 'W/"2.0-e1.m4s", "x"', "gzip;q=0", "br, *;q=0.5", "")):
        for choice in (0x0D, 0x12, 0x1D):
            yield "http_header", f"value{number}-{choice}", bytes((choice,)) + text.encode()
    for number, text in enumerate(
        ("live/s1/index.m3u8", "live/s1/r1/1080p/2.0-e1.m4s", "live/s1/r1/1080p/init-00000000.mp4", "live/../x",
         "%2e%2e/", "live/s1/r1/1080p/0-0123456789ab.m4s", "readyz", "livez", "metrics", "live//r1/index.m3u8",
         "live/s1/%00")
    ):  # fmt: skip
        yield "http_path", f"path{number}", text.encode()
        yield (
            "http",
            f"path{number}",
            b"GET /" + text.encode() + b" HTTP/1.1\r\nhost: h\r\naccept-encoding: gzip\r\n\r\n",
        )
    yield (
        "http",
        "pipelined",
        b"GET /live/s1/r1/audio/index.m3u8?_HLS_msn=3&_HLS_part=3 HTTP/1.1\r\n\r\nHEAD / HTTP/1.0\r\n\r\n",
    )
    yield "http", "body", b"POST /live/s1/index.m3u8 HTTP/1.1\r\ncontent-length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n"
    yield (
        "http",
        "upgrade",
        b"GET / HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\nexpect: 100-continue\r\n\r\n",
    )


def of_wire() -> Iterator[Seed]:
    """Messages between services, the log's and the pipe's."""
    numbers = {name: bytes((at,)) for at, (name, _, _) in enumerate(CODECS)}
    opened = steps.Open(RunId("r"), 1, "s", 1, 0, PLAN, SOURCE, 1, 2)
    frame = Frame(Kind.AUDIO, True, -5, -5, b"x", -7, 1024, True)
    ups: tuple[steps.Up, ...] = (opened, steps.Frames([frame, frame]), Hold(4), steps.End())
    for at, step in enumerate(ups):
        data = steps.up_to_bytes(step)
        yield "wire_message", f"up{at}", numbers["up"] + data
        yield "wire_call", f"ingest{at}", b"\x05" + row(steps.up_to_bytes(opened)) + row(data)
    downs: tuple[steps.Down, ...] = (steps.Accepted(3), steps.IngestRefused("busy", "no"), steps.Progress(1, 2))
    for at, answer in enumerate(downs):
        yield "wire_message", f"down{at}", numbers["down"] + steps.down_to_bytes(answer)
    yield "wire_message", "plan", numbers["plan"] + types.plan_to_bytes(PLAN)
    yield "wire_message", "source", numbers["source"] + types.source_to_bytes(SOURCE)
    allocated = control_messages.allocated_to_bytes(Allocated(PLAN, ("t:1", "t:2")))
    yield "wire_message", "allocated", numbers["allocated"] + allocated
    held = HeldSession("i", StreamId("s"), RunId("r"), 1, "p:1", 1, PLAN, SOURCE, "t:1")
    renew = control_messages.renew_to_bytes("edge", [held])
    yield "wire_message", "renew", numbers["renew"] + renew
    yield "wire_call", "renew", b"\x02" + renew
    verdicts = control_messages.verdicts_to_bytes([Verdict("i", False, "busy", "no", True)])
    yield "wire_message", "verdicts", numbers["verdicts"] + verdicts
    report = PodReport("p", "t:1", "1", True, 2, 1, (RunId("r"),), sessions=(SessionReport("i", 5),), zone="z")
    yield "wire_message", "report", numbers["report"] + control_messages.report_to_bytes(report)
    yield "wire_call", "report", b"\x04" + 2 * row(control_messages.report_to_bytes(report))
    asked = pb.OpenSessionRequest(app="live", key="k", edge="e", peer="p:1", session_id="i")
    yield "wire_call", "open", b"\x00" + asked.SerializeToString()
    allocate = pb.AllocateRequest(session_id="i", source=types.source_to_wire(SOURCE), anchor_ms=1)
    yield "wire_call", "allocate", b"\x01" + allocate.SerializeToString()
    yield (
        "wire_call",
        "release",
        b"\x03" + pb.ReleaseRequest(session_id="i", reason=pb.RELEASE_REASON_LOST).SerializeToString(),
    )
    plan = plan_of("source+auto", window_s=20)
    entries = [
        *start_of(plan),
        *(e for msn in range(2) for rung in plan.rung_names for e in parts_of(plan, rung, msn, of=2, count=2)),
    ]
    for name, some in (("run", entries), ("end", [*entries[:20], Hold(5), End(180_000)]), ("tail", entries[-6:])):
        yield "log_entries", name, b"".join(row(log.entry_to_bytes(each)) for each in some)
        yield "log_pushes", name, b"".join(row(each) for each in _pushed(some[:6]))
    for at, each in enumerate([entries[0], entries[1], entries[-1], Hold(1), End(2)]):
        yield "wire_message", f"entry{at}", numbers["entry"] + log.entry_to_bytes(each)
    yield "log_order", "forwards", bytes(range(60))
    yield "log_order", "backwards", bytes(range(8)) + bytes(range(120, 7, -1))
    yield "log_order", "again", bytes(range(40)) + bytes(range(20, 60))
    part = Part("720p", 3, 2, 540_000, 570_000, 540_000, True, False, 4, "00ff00ff00ff00ff", "e1", True, 1)
    init, gap = Init("audio", "mp4a.40.2", b"moov", channels=2), Gap("audio", 3, 2, 5, 6, 5, True)
    made: tuple[Message, ...] = (
        Ready(),
        init,
        Made(part, b"moof"),
        gap,
        Counted("video_undecodable", 7),
        Failed("no"),
        Done(),
    )
    yield "pipe", "all", b"".join(b"".join(encode(one)) for one in made)
    for at, one in enumerate(made[1:5]):
        yield "pipe", f"one{at}", b"".join(encode(one))


def _pushed(entries: Sequence[Entry]) -> Iterator[bytes]:
    """As a server says that these were published."""
    last = ""
    for n, entry in enumerate(entries, 1):
        data = log.entry_to_bytes(entry)
        last = sha1(last.encode() + data, usedforsecurity=False).hexdigest()
        yield f"{n} {last} ".encode() + data


def of_trust() -> Iterator[Seed]:
    """Tokens and identities."""
    signed, _ = _signed()
    header, claims, signature = signed.split(".")
    deep = base64.urlsafe_b64encode(b"[" * 2200).decode().rstrip("=")
    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"k","typ":"headrace-lease+jwt"}').decode().rstrip("=")
    tokens = (signed, f"{none}.{claims}.", f"{header}.{claims}.AA", f"{deep}.{claims}.{signature}", f"{header}.e30.AA")
    for at, token in enumerate(tokens):
        yield "lease", f"token{at}", token.encode()
    for at, text in enumerate(
        ("spiffe://house.example/ns/video/sa/headrace-edge", "spiffe://a/ns/b/sa/origin", "spiffe://a/ns/b/sa/x/y",
         "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-" + "0" * 32 + "-" + "0" * 16 + "-00")
    ):  # fmt: skip
        yield "identity", f"text{at}", text.encode()


def of_api() -> Iterator[Seed]:
    """Requests of API clients."""
    bodies = ('{"name": "x"}', '{"name": "x", "profile": "source+auto"}', '{"name": 1}',
              '{"name": "x", "profile": {}}',
              '{"name": "a", "profile": {"rungs": [{"height": 720, "fps": 30}], "audio_kbps": 96}}',
              '{"name": "\\u0000"}', '{"name": "\\ud800"}', '{"name": "x", "profile": {"\\ud800": 1}}', "[1e400, NaN]",
              '{"name": "x", "profile": {"name": "auto", "part_ms": 500}}', '{"name": "x"} x')  # fmt: skip
    for at, body in enumerate(bodies):
        yield "api", f"body{at}", b"\x00" + body.encode()
    for at, query in enumerate(
        ("limit=5", "limit=-1", "limit=1e9", "cursor=&limit=", "cursor=LTEueA", "limit=1&limit=2")
    ):
        yield "api", f"query{at}", b"\x02" + query.encode()
    for choice in range(2, 8):
        for at, text in enumerate(("k3v6q2hxw5ra", "OTk5LngA", "MS4A", "\0", "..", "a/key", "é", " ")):
            yield "api", f"text{choice}-{at}", bytes((choice,)) + text.encode("latin-1")


def main() -> None:
    """Write what is not there."""
    for target, name, data in (*of_rtmp(), *of_media(), *of_http(), *of_wire(), *of_api(), *of_trust(), *recorded()):
        assert target in TARGETS, target
        words = "".join(character if character.isalnum() or character in "-_" else "-" for character in name)[:60]
        file = HERE / target / (words or "empty")
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_bytes(data)


if __name__ == "__main__":
    main()

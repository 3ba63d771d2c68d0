"""What the server says to encoders, and what it makes of what they say."""

import pytest

from headrace.core import rtmp
from headrace.core.amf import Value, encode_values
from headrace.core.rtmp import _messages as m
from headrace.core.rtmp._commands import command
from headrace.core.rtmp._messages import Message
from tests.unit.core.rtmp.pair import RawPeer, live_peer


def video(data: bytes, stream_id: int = 1, timestamp: int = 0) -> Message:
    return Message(m.VIDEO, stream_id, timestamp, data)


def noise(events: list[rtmp.ServerEvent]) -> dict[str, int]:
    return {event.kind: event.count for event in events if isinstance(event, rtmp.PeerNoise)}


# --- connect


def test_connect_is_a_question_and_its_yes_announces_window_bandwidth_and_chunk_size() -> None:
    peer = RawPeer()
    said: dict[str, Value] = {"app": "live", "flashVer": "FMLE/3.0", "tcUrl": "rtmp://h/live", "capsEx": 1.0}
    events = peer.send(command("connect", 1, said))
    assert events == [rtmp.ConnectRequested(1, "live", "rtmp://h/live", "FMLE/3.0", said)]
    assert peer.received() == []
    peer.server.accept(1)
    window, bandwidth, chunk_size, result = peer.received()
    assert (window.type, window.payload) == (m.WINDOW_ACK_SIZE, (2_500_000).to_bytes(4, "big"))
    assert (bandwidth.type, bandwidth.payload) == (m.SET_PEER_BANDWIDTH, (2_500_000).to_bytes(4, "big") + b"\x02")
    assert (chunk_size.type, chunk_size.payload) == (m.SET_CHUNK_SIZE, (4096).to_bytes(4, "big"))
    assert result.type == m.COMMAND


def test_the_connect_answer_has_two_objects_and_the_code_that_encoders_look_for() -> None:
    peer = RawPeer()
    peer.send(command("connect", 1, {"app": "live", "objectEncoding": 3.0}))
    peer.server.accept(1)
    (answer,) = peer.commands()
    assert (answer.name, answer.transaction_id, len(answer.arguments)) == ("_result", 1, 2)
    assert answer.object(1)["code"] == "NetConnection.Connect.Success"
    assert answer.object(1)["objectEncoding"] == 3


def test_a_refused_connect_gets_an_error_and_the_shell_is_told_to_close() -> None:
    peer = RawPeer()
    peer.send(command("connect", 1, {"app": "nope"}), command("createStream", 2, None))
    peer.server.reject(1, "NetConnection.Connect.InvalidApp", "There is no application nope.")
    (answer,) = peer.commands()
    assert (answer.name, answer.transaction_id) == ("_error", 1)
    assert answer.object(1)["level"] == "error"
    assert answer.object(1)["code"] == "NetConnection.Connect.InvalidApp"
    assert peer.server.close_reason == "connect_rejected"
    assert peer.events() == []


def test_anything_may_stand_in_the_connect_object() -> None:
    peer = RawPeer()
    payload = encode_values("connect", 1.0) + bytes.fromhex("03 0005 746375726c 02 0001 75 0001 7a 7e")
    (asked,) = peer.send(Message(m.COMMAND, 0, 0, payload))
    assert isinstance(asked, rtmp.ConnectRequested)
    assert (asked.app, asked.tc_url, asked.flash_ver) == ("", "u", "")


def test_what_comes_before_connect_is_counted_and_dropped() -> None:
    peer = RawPeer()
    events = peer.send(command("createStream", 1, None), video(b"x"), Message(m.COMMAND, 0, 0, b"\x7f"))
    assert noise(events) == {"command_before_connect": 1, "data_without_publish": 1, "unreadable_command": 1}
    assert peer.received() == []


# --- publish


def test_the_whole_way_of_an_encoder_that_waits_for_each_answer() -> None:
    peer = RawPeer()
    peer.connect()
    peer.send(command("releaseStream", 2, None, "KEY"), command("FCPublish", 3, None, "KEY"))
    peer.send(command("createStream", 4, None))
    assert [(a.name, a.transaction_id, a.arguments) for a in peer.commands()] == [
        ("_result", 2, [None]),
        ("_result", 3, [None]),
        ("_result", 4, [None, 1]),
    ]
    asked = peer.ask(name="KEY?a=b", create=False)
    assert (asked.stream_id, asked.stream_name, asked.mode) == (1, "KEY?a=b", "live")
    assert asked.target == rtmp.parse_publish_target("rtmp://host/live", "live", "KEY?a=b")
    assert peer.received() == []
    peer.server.accept(asked.id)
    begin, fc_publish, status = peer.received()
    assert (begin.type, begin.payload) == (m.USER_CONTROL, bytes.fromhex("000000000001"))
    assert b"onFCPublish" in fc_publish.payload
    assert status.stream_id == 1
    assert b"NetStream.Publish.Start" in status.payload
    assert peer.send(video(b"frame", timestamp=40)) == [rtmp.VideoReceived(1, 40, b"frame")]


def test_an_encoder_that_sends_everything_before_the_first_answer_is_served_in_order() -> None:
    peer = RawPeer()
    (asked,) = peer.send(
        command("connect", 1, {"app": "live"}),
        command("createStream", 2, None),
        command("publish", 3, None, "KEY", "live", stream_id=1),
        video(b"first", timestamp=0),
        video(b"second", timestamp=40),
    )
    assert isinstance(asked, rtmp.ConnectRequested)
    peer.server.accept(asked.id)
    (publish,) = peer.events()
    assert isinstance(publish, rtmp.PublishRequested)
    assert peer.send(video(b"third", timestamp=80)) == []
    peer.server.accept(publish.id)
    assert [event[1:] for event in peer.events() if isinstance(event, rtmp.VideoReceived)] == [
        (0, b"first"),
        (40, b"second"),
        (80, b"third"),
    ]
    assert [answer.name for answer in peer.commands()] == ["_result", "_result", "onStatus"]


@pytest.mark.parametrize("code", ["NetStream.Publish.BadName", "NetStream.Publish.Denied", "NetStream.Failed"])
def test_a_refused_publish_gets_the_status_that_obs_shows_and_never_a_start(code: str) -> None:
    peer = RawPeer()
    peer.connect()
    asked = peer.ask()
    peer.received()
    peer.server.reject(asked.id, code, "why")
    (status,) = peer.commands()
    assert (status.name, status.stream_id) == ("onStatus", 1)
    assert status.object(1) == {"level": "error", "code": code, "description": "why"}
    assert peer.server.close_reason == "publish_rejected"
    assert noise(peer.send(video(b"x"))) == {"data_without_publish": 1}


def test_our_side_can_end_a_publish_with_a_status() -> None:
    peer = live_peer()
    peer.server.end_publish(1, "NetStream.Publish.Rejected", "This codec is not supported.")
    assert peer.commands()[0].object(1)["code"] == "NetStream.Publish.Rejected"
    assert peer.server.close_reason == "publish_ended"
    assert noise(peer.send(video(b"x"))) == {"data_without_publish": 1}
    with pytest.raises(rtmp.RtmpUsageError):
        peer.server.end_publish(1, "x", "y")


def test_several_streams_on_one_connection_are_told_apart_by_message_stream() -> None:
    peer = live_peer()
    peer.publish(2, "OTHER")
    assert peer.send(video(b"a", 1), video(b"b", 2)) == [rtmp.VideoReceived(1, 0, b"a"), rtmp.VideoReceived(2, 0, b"b")]
    peer.server.end_publish(2, "NetStream.Failed", "")
    assert peer.server.close_reason is None
    assert peer.send(video(b"a", 1)) == [rtmp.VideoReceived(1, 0, b"a")]


def test_a_question_about_one_stream_does_not_hold_another_one_up() -> None:
    peer = live_peer()
    asked = peer.ask(2, "OTHER")
    assert peer.send(video(b"held", 2), video(b"a", 1)) == [rtmp.VideoReceived(1, 0, b"a")]
    peer.server.accept(asked.id)
    assert peer.events() == [rtmp.VideoReceived(2, 0, b"held")]


def test_at_most_eight_streams_and_their_ids_are_used_again() -> None:
    peer = RawPeer()
    peer.connect()
    for transaction in range(2, 11):
        peer.send(command("createStream", transaction, None))
    assert [answer.arguments[1] for answer in peer.commands() if answer.name == "_result"] == list(range(1, 9))
    peer.send(command("deleteStream", 0, None, 3.0), command("createStream", 20, None))
    assert peer.commands()[0].arguments == [None, 3]


def test_publishing_twice_on_one_stream_is_answered_and_the_first_goes_on() -> None:
    peer = live_peer()
    events = peer.send(command("publish", 9, None, "KEY", "live", stream_id=1), video(b"x"))
    assert events[0] == rtmp.VideoReceived(1, 0, b"x")
    assert noise(events) == {"publish_twice": 1}
    assert peer.commands()[0].object(1)["code"] == "NetStream.Publish.BadName"


def test_publishing_without_createstream_works() -> None:
    peer = RawPeer()
    peer.connect()
    peer.server.accept(peer.ask(create=False).id)
    assert peer.send(video(b"x")) == [rtmp.VideoReceived(1, 0, b"x")]


# --- the end


@pytest.mark.parametrize(
    ("goodbye", "reason"),
    [
        (command("FCUnpublish", 6, None, "KEY"), rtmp.EndReason.FC_UNPUBLISH),
        (command("FCUnpublish", 6, None, "another name"), rtmp.EndReason.FC_UNPUBLISH),
        (command("deleteStream", 6, None, 1.0), rtmp.EndReason.DELETE_STREAM),
        (command("deleteStream", 6, None), rtmp.EndReason.DELETE_STREAM),
        (command("closeStream", 6, None, stream_id=1), rtmp.EndReason.CLOSE_STREAM),
    ],
)
def test_each_way_to_say_goodbye_ends_the_publish_once(goodbye: Message, reason: rtmp.EndReason) -> None:
    peer = live_peer()
    events = peer.send(goodbye, command("deleteStream", 7, None, 1.0))
    assert events == [rtmp.PublishEnded(1, reason)]
    answers = peer.commands()
    assert "NetStream.Unpublish.Success" in [a.object(1).get("code") for a in answers if a.name == "onStatus"]
    assert [a.transaction_id for a in answers if a.name == "_result"] == [6, 7]


def test_a_withdrawn_request_needs_no_answer_and_forgives_one() -> None:
    peer = RawPeer()
    peer.connect()
    asked = peer.ask()
    events = peer.send(video(b"held"), command("deleteStream", 0, None, 1.0))
    assert events == [rtmp.PublishEnded(1, rtmp.EndReason.DELETE_STREAM)]
    peer.received()
    peer.server.accept(asked.id)
    assert peer.received() == []
    assert peer.events() == []


def test_a_stream_may_publish_again_after_its_end() -> None:
    peer = live_peer()
    peer.send(command("FCUnpublish", 6, None, "KEY"))
    peer.server.accept(peer.ask(create=False).id)
    assert peer.send(video(b"x")) == [rtmp.VideoReceived(1, 0, b"x")]


def test_answering_what_was_never_asked_is_our_own_error() -> None:
    peer = RawPeer()
    with pytest.raises(rtmp.RtmpUsageError):
        peer.server.accept(1)
    with pytest.raises(rtmp.RtmpUsageError):
        peer.server.reject(7, "x", "y")


# --- commands


@pytest.mark.parametrize("name", ["_checkbw", "getStreamLength", "DVRSetStreamInfo", "somethingNew"])
def test_any_other_command_with_a_transaction_gets_a_null_result_with_exactly_its_id(name: str) -> None:
    peer = live_peer()
    peer.send(command(name, 4711.5, None, "x"), command(name, 0, None))
    (answer,) = peer.commands()
    assert (answer.name, answer.transaction_id, answer.arguments) == ("_result", 4711.5, [None])


def test_a_player_is_told_that_there_is_nothing_to_play() -> None:
    peer = RawPeer()
    peer.connect()
    peer.send(command("play", 3, None, "KEY", stream_id=1))
    assert peer.commands()[0].object(1)["code"] == "NetStream.Play.StreamNotFound"


def test_commands_in_amf3_messages_are_understood_and_answered_alike() -> None:
    peer = RawPeer()
    peer.send(command("connect", 1, {"app": "live", "objectEncoding": 3.0}))
    peer.server.accept(1)
    peer.received()
    flash = Message(m.COMMAND_AMF3, 0, 0, b"\0" + encode_values("createStream", 2.0) + b"\x11\x01")
    peer.send(flash)
    (answer,) = peer.received()
    assert answer.type == m.COMMAND_AMF3
    assert answer.payload == b"\0" + encode_values("_result", 2.0, None, 1.0)


def test_never_a_bandwidth_check_of_our_own() -> None:
    peer = RawPeer()
    peer.send(command("connect", 1, {"app": "live"}))
    peer.server.accept(1)
    peer.send(command("_checkbw", 2, None))
    assert "onBWDone" not in [answer.name for answer in peer.commands()]


# --- limits


def test_held_media_is_bounded_in_bytes() -> None:
    peer = RawPeer()
    peer.connect()
    peer.ask()
    peer.send(video(b"x" * 900_000))
    with pytest.raises(rtmp.RtmpLimitExceeded) as caught:
        peer.send(video(b"x" * 200_000))
    assert caught.value.code == peer.server.close_reason == "too_much_before_accept"
    with pytest.raises(rtmp.RtmpLimitExceeded):
        peer.events()


@pytest.mark.parametrize("answer", ["accept", "reject", "withdraw"])
def test_what_waits_no_longer_no_longer_counts(answer: str) -> None:
    peer = RawPeer()
    peer.connect()
    for _ in range(3):
        asked = peer.ask(create=False)
        peer.send(video(b"x" * 900_000))
        if answer == "accept":
            peer.server.accept(asked.id)
            assert len(peer.events()) == 1
        elif answer == "reject":
            peer.server.reject(asked.id, "NetStream.Publish.Denied", "")
        peer.send(command("deleteStream", 0, None, 1.0))


def test_held_messages_without_a_body_count_as_well() -> None:
    peer = RawPeer()
    peer.connect()
    peer.ask()
    with pytest.raises(rtmp.RtmpLimitExceeded):
        peer.send(*[Message(m.AUDIO, 1, 0, b"")] * 10_000)


@pytest.mark.parametrize("flood", ["unasked sound", "acknowledgements", "streams"])
def test_a_flood_of_messages_without_media_is_too_much(flood: str) -> None:
    peer = RawPeer()
    peer.connect()
    message = {
        "unasked sound": Message(m.AUDIO, 9, 0, b""),
        "acknowledgements": Message(m.ACKNOWLEDGEMENT, 0, 0, bytes(4)),
        "streams": command("createStream", 2, None),
    }[flood]
    with pytest.raises(rtmp.RtmpLimitExceeded) as caught:
        peer.send(*[message] * 5_000)
    assert caught.value.code == "too_many_messages"


def test_a_publisher_may_send_as_many_messages_as_it_likes() -> None:
    peer = RawPeer()
    peer.connect()
    peer.publish()
    for _ in range(3):
        events = peer.send(*[video(b"x")] * 3_000, *[Message(m.ACKNOWLEDGEMENT, 0, 0, bytes(4))] * 3_000)
        assert len([event for event in events if isinstance(event, rtmp.VideoReceived)]) == 3_000


@pytest.mark.parametrize(
    ("stage", "allowed"), [("connected", 64 * 1024), ("asked", 1024 * 1024), ("live", 10 * 1024 * 1024)]
)
def test_a_message_may_grow_with_our_trust(stage: str, allowed: int) -> None:
    for size, fine in ((allowed - 200, True), (allowed + 1, False)):
        peer = RawPeer()
        peer.connect()
        if stage == "asked":
            peer.ask()
        elif stage == "live":
            peer.publish()
        head = bytes((4, 0, 0, 0)) + size.to_bytes(3, "big") + bytes((9, 1, 0, 0, 0)) + b"x"
        if fine:
            peer.feed(head)
        else:
            with pytest.raises(rtmp.RtmpLimitExceeded) as caught:
                peer.feed(head)
            assert caught.value.code == "message_too_large"

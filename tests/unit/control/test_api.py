"""The REST API as a client meets it."""

import asyncio
from datetime import datetime

import httpx
import pytest

from tests.unit.control.support import API_KEY, Control, Place, control
from tests.unit.control.test_sessions import on_air, publish

LADDER = {"rungs": [{"height": 720, "fps": 30, "maxrate_kbps": 4000}], "audio_kbps": 96}
LATE = "OTk5OTk5OTk5OTk5OTk5OTk5OTkueA"  # a cursor of 99999999999999999999 ms
EARLY = "LTEueA"  # one of -1 ms
NUL = "MS4A"  # one of 1 ms, and of a stream that no database can name


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["title"]
    assert problem["detail"]


async def create(client: httpx.AsyncClient, name: str = "Main stage", **headers: str) -> dict[str, str]:
    answer = await client.post("/v1/streams", json={"name": name}, headers=headers)
    assert answer.status_code == 201
    made: dict[str, str] = answer.json()
    return made


async def test_a_new_stream_is_answered_with_its_key_and_urls(parts: Control) -> None:
    async with parts.client() as client:
        answer = await client.post("/v1/streams", json={"name": " Main stage ", "profile": "auto"})
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/streams/{made['id']}"
    assert answer.headers["cache-control"] == "no-store"
    assert made["stream_key"].startswith("sk_")
    assert made["key_hint"] == made["stream_key"][-4:]
    assert made["name"] == "Main stage"
    assert made["state"] == "idle"
    assert made["ingest"] == {"rtmp_url": "rtmp://127.0.0.1:1935/live", "rtmps_url": None}
    assert made["playback"] == {"hls_url": f"http://127.0.0.1:8080/live/{made['id']}/index.m3u8"}


async def test_the_key_publishes_and_is_never_shown_again(parts: Control, place: Place) -> None:
    async with parts.client() as client:
        made = await create(client)
        texts = [(await client.get(path)).text for path in ("/v1/streams", f"/v1/streams/{made['id']}")]
    assert all(made["id"] in text and made["stream_key"] not in text for text in texts)
    assert made["stream_key"].encode() not in place.contents()


@pytest.mark.parametrize("profile", ["auto", "passthrough", "source+auto", LADDER, {"name": "auto", "part_ms": 500}])
async def test_a_profile_comes_back_in_the_words_it_was_given(parts: Control, profile: object) -> None:
    async with parts.client() as client:
        made = (await client.post("/v1/streams", json={"name": "x", "profile": profile})).json()
        assert (await client.get(f"/v1/streams/{made['id']}")).json()["profile"] == profile


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": 7}, "name"),
        ({"name": "x", "color": "red"}, "color"),
        ({"name": "x", "profile": "4k"}, "profile"),
        ({"name": "x", "profile": {"rungs": [{"height": 20}]}}, "profile"),
        ({"name": "x", "profile": {"name": ["auto"]}}, "profile"),
        ({"name": "x", "profile": {"part_ms": 500}}, "profile"),
        ([], "body"),
    ],
)
async def test_a_bad_request_names_the_field(parts: Control, body: object, field: str) -> None:
    async with parts.client() as client:
        answer = await client.post("/v1/streams", json=body)
    assert_problem(answer, 422, "bad_profile" if field == "profile" else "invalid")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_bad_rung_is_named_in_the_detail(parts: Control) -> None:
    async with parts.client() as client:
        answer = await client.post("/v1/streams", json={"name": "x", "profile": {"rungs": [{"height": 20}]}})
    assert "profile.rungs.height" in answer.json()["detail"]


async def test_text_that_is_no_json_is_invalid(parts: Control) -> None:
    async with parts.client() as client:
        answer = await client.post("/v1/streams", content=b"{nope", headers={"Content-Type": "application/json"})
    assert_problem(answer, 422, "invalid")


@pytest.mark.parametrize(
    "body",
    [
        rb'{"name": "\ud800"}',
        rb'{"name": "x", "\ud800": 1}',
        rb'{"name": "x", "profile": "\ud800"}',
        rb'{"name": "x", "profile": {"\ud800": 1}}',
        rb'{"name": "x", "profile": {"name": "\ud800"}}',
        rb'{"name": "x", "profile": {"rungs": [{"height": 360, "\ud800": 1}]}}',
    ],
)
async def test_text_that_no_encoding_can_write_is_refused(parts: Control, body: bytes) -> None:
    async with parts.client() as client:
        answer = await client.post("/v1/streams", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


async def test_a_field_that_nobody_knows_is_not_repeated_at_length(parts: Control) -> None:
    async with parts.client() as client:
        answer = await client.post("/v1/streams", json={"name": "x", "profile": {"k" * 50_000: 1}})
    assert_problem(answer, 422, "bad_profile")
    assert len(answer.content) < 1000


async def test_a_large_body_is_refused_however_it_is_sent(parts: Control) -> None:
    async def chunks() -> object:
        for _ in range(100):
            yield b" " * 1000

    async with parts.client() as client:
        announced = await client.post("/v1/streams", content=b" " * 100_000)
        streamed = await client.post(
            "/v1/streams",
            content=chunks(),  # type: ignore[arg-type]
            headers={"Content-Type": "application/json"},
        )
    for answer in (announced, streamed):
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "headers", [{"X-Nothing": "1"}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {API_KEY}"}]
)
async def test_without_the_api_key_there_is_nothing_but_a_challenge(parts: Control, headers: dict[str, str]) -> None:
    async with parts.client(**headers) as client:
        for method, path in (("GET", "/v1/streams"), ("POST", "/v1/streams"), ("DELETE", "/v1/streams/x")):
            answer = await client.request(method, path)
            assert_problem(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_unknown_paths_methods_and_streams_are_problems(parts: Control) -> None:
    async with parts.client() as client:
        assert_problem(await client.get("/v1/nothing"), 404, "not_found")
        assert_problem(await client.put("/v1/streams"), 405, "method_not_allowed")
        assert_problem(await client.get("/v1/streams/nobody"), 404, "no_stream")
        assert_problem(await client.delete("/v1/streams/nobody"), 404, "no_stream")
        assert_problem(await client.post("/v1/streams/nobody/key"), 404, "no_stream")


async def test_pages_hold_every_stream_once_newest_first(parts: Control) -> None:
    async with parts.client() as client:
        made = [(await create(client, f"stream {i}"))["id"] for i in range(7)]
        seen: list[str] = []
        cursor = None
        sizes = []
        while True:
            query = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
            page = (await client.get("/v1/streams", params=query)).json()
            seen += [stream["id"] for stream in page["streams"]]
            sizes.append(len(page["streams"]))
            cursor = page["next_cursor"]
            if cursor is None:
                break
    assert sizes == [3, 3, 1]
    assert sorted(seen) == sorted(made)
    async with parts.client() as client:
        whole = (await client.get("/v1/streams")).json()["streams"]
    assert [one["id"] for one in whole] == seen
    made_at = [datetime.fromisoformat(one["created_at"]) for one in whole]
    assert made_at == sorted(made_at, reverse=True)


@pytest.mark.parametrize(
    "query",
    [
        "cursor=%21%21",
        "cursor=YWJj",
        f"cursor={LATE}",
        f"cursor={EARLY}",
        f"cursor={NUL}",
        "limit=0",
        "limit=201",
        "limit=x",
    ],
)
async def test_a_bad_cursor_or_limit_is_named(parts: Control, query: str) -> None:
    async with parts.client() as client:
        answer = await client.get(f"/v1/streams?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


async def test_a_repeated_request_gets_the_same_stream_and_key(parts: Control, place: Place) -> None:
    async with parts.client() as client:
        first = await create(client, **{"Idempotency-Key": "once"})
        again = await create(client, **{"Idempotency-Key": "once"})
        other = await create(client, **{"Idempotency-Key": "twice"})
        assert len((await client.get("/v1/streams")).json()["streams"]) == 2
    assert again == first
    assert other["stream_key"] != first["stream_key"]
    assert first["stream_key"].encode() not in place.contents()


async def test_a_repeated_request_in_parallel_makes_one_stream(parts: Control) -> None:
    async with parts.client() as client, asyncio.TaskGroup() as group:
        tasks = [group.create_task(create(client, **{"Idempotency-Key": "once"})) for _ in range(5)]
    assert len({task.result()["stream_key"] for task in tasks}) == 1


async def test_an_idempotency_key_with_another_request_is_a_conflict(parts: Control) -> None:
    headers = {"Idempotency-Key": "once"}
    async with parts.client() as client:
        made = await create(client, **headers)
        assert_problem(
            await client.post("/v1/streams", json={"name": "other"}, headers=headers), 409, "idempotency_key_reused"
        )
        reset = await client.post(f"/v1/streams/{made['id']}/key", headers=headers)
    assert_problem(reset, 409, "idempotency_key_reused")


async def test_after_a_day_an_idempotency_key_is_forgotten_with_its_salt(parts: Control, place: Place) -> None:
    async with parts.client() as client:
        first = await create(client, **{"Idempotency-Key": "once"})
        place.execute("UPDATE idempotency_keys SET created_ms = created_ms - 86400001")
        second = await create(client, **{"Idempotency-Key": "once"})
    assert second["id"] != first["id"]
    assert second["stream_key"] != first["stream_key"]


async def test_resetting_a_key_shows_the_new_one_once(parts: Control) -> None:
    async with parts.client() as client:
        made = await create(client)
        path = f"/v1/streams/{made['id']}/key"
        reset = (await client.post(path, headers={"Idempotency-Key": "r"})).json()
        again = (await client.post(path, headers={"Idempotency-Key": "r"})).json()
        hint = (await client.get(f"/v1/streams/{made['id']}")).json()["key_hint"]
    assert reset["stream_key"] != made["stream_key"]
    assert again["stream_key"] == reset["stream_key"]
    assert reset["stream_key"].endswith(hint)


async def test_a_live_stream_shows_its_run_and_deleting_it_ends_the_run(parts: Control) -> None:
    stream, key = await parts.stream()
    opened = await on_air(parts, key, 900)
    async with parts.client() as client:
        shown = (await client.get(f"/v1/streams/{stream}")).json()
        assert (shown["state"], shown["live"]["run"]) == ("live", opened.run)
        deleted = await client.delete(f"/v1/streams/{stream}")
        assert (deleted.status_code, deleted.content, "content-type" in deleted.headers) == (204, b"", False)
        assert_problem(await client.get(f"/v1/streams/{stream}"), 404, "no_stream")
        assert (await client.get("/v1/streams")).json()["streams"] == []
    assert parts.log.end_of(opened.run) is not None
    with pytest.raises(Exception, match="not valid"):
        await publish(parts, key)


async def test_a_database_that_does_not_answer_is_said_to_come_back(place: Place) -> None:
    async with control(place) as parts:
        place.execute("DROP TABLE sessions")
        async with parts.client() as client:
            answer = await client.get("/v1/streams")
        assert_problem(answer, 503, "database")
        assert answer.headers["retry-after"] == "1"


async def test_a_bug_is_a_problem_that_tells_nothing(parts: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(parts.registry, "get", broken)
    async with parts.client() as client:
        answer = await client.get("/v1/streams/x")
    assert_problem(answer, 500, "internal")
    assert "secret" not in answer.text


async def test_text_that_postgresql_cannot_keep_is_refused_whatever_the_database(parts: Control) -> None:
    async with parts.client() as client:
        named = await client.post("/v1/streams", json={"name": "a\0b"})
        answers = [named, *[await client.request(method, "/v1/streams/%00") for method in ("GET", "DELETE")]]
        answers.append(await client.post("/v1/streams/a%00/key"))
    for answer in answers:
        assert_problem(answer, 422, "invalid")

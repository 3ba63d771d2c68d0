"""What is said of a server's settings."""

import pytest

from headrace.livelog.redis.checks import (
    LEAST_BACKLOG_BYTES,
    LEAST_REPLICA_BUFFER_BYTES,
    of_answers,
    of_settings,
)

GOOD = {
    "maxmemory": "16000000000",
    "maxmemory-policy": "noeviction",
    "repl-backlog-size": str(LEAST_BACKLOG_BYTES),
    "client-output-buffer-limit": f"normal 0 0 0 slave {LEAST_REPLICA_BUFFER_BYTES} 0 0 pubsub 33554432 8388608 60",
    "save": "",
    "appendonly": "yes",
}


def test_good_settings_are_not_spoken_of() -> None:
    assert of_settings(GOOD, {}, 1) == []
    assert of_settings({**GOOD, "save": "3600 1", "appendonly": "no"}, {}, 1) == []
    unlimited = "normal 0 0 0 replica 0 0 0 pubsub 0 0 0"
    assert of_settings({**GOOD, "client-output-buffer-limit": unlimited}, {}, 1) == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("maxmemory", "0", "maxmemory is not set"),
        ("maxmemory-policy", "allkeys-lru", "maxmemory-policy is allkeys-lru"),
        ("repl-backlog-size", "1048576", f"repl-backlog-size is 1048576 bytes: set {LEAST_BACKLOG_BYTES}"),
        (
            "client-output-buffer-limit",
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 0 0 0",
            "client-output-buffer-limit for replicas is 268435456 bytes",
        ),
        ("appendonly", "no", "nothing is kept on disk"),
    ],
)
def test_each_wrong_setting_is_named(name: str, value: str, said: str) -> None:
    [sentence] = of_settings({**GOOD, name: value}, {}, 1)
    assert sentence.startswith(said)


def test_without_replicas_what_is_for_them_does_not_matter() -> None:
    settings = {**GOOD, "repl-backlog-size": "1", "appendonly": "no"}
    assert of_settings(settings, {}, 0) == []


def test_a_backlog_is_measured_against_what_the_server_gets_now() -> None:
    [sentence] = of_settings(GOOD, {"instantaneous_input_kbps": "100000.00"}, 1)
    assert f"set {100_000 * 1024 * 10} or more" in sentence


def test_a_server_that_does_not_tell_is_not_called_wrong() -> None:
    assert of_answers({}, {}, 1) == []


def test_replicas_that_are_missing_or_behind_are_told() -> None:
    info = {"redis_version": "7.0.15", "connected_slaves": "1", "slave0": "ip=1.2.3.4,port=1,state=online,lag=0"}
    assert of_answers(info, GOOD, 1) == []
    [sentence] = of_answers(info, GOOD, 2)
    assert sentence == "it has 1 replicas, and HEADRACE_LOG_REPLICAS says 2"
    [sentence] = of_answers({**info, "slave0": "ip=1.2.3.4,port=1,state=wait_bgsave,lag=0"}, GOOD, 1)
    assert sentence.startswith("of its 1 replicas 0 are in sync")


def test_a_version_that_is_too_old_is_told() -> None:
    assert of_answers({"redis_version": "6.2.1"}, {}, 0) == ["version 6.2.1 is too old: the live log needs 7 or later"]

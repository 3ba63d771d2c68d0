"""What control makes of a database's URL: how the server is entered."""

import pytest

from headrace.control.db.engines import VERIFY_FULL, read_url, weakness


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://headrace@db.example/headrace",
        "postgresql://headrace@10.0.0.9:5432/headrace",
        "postgresql://headrace@db1.example,db2.example/headrace?target_session_attrs=read-write",
        "postgresql://headrace@localhost,db2.example/headrace",
        "postgresql:///headrace?host=db.example",
        "postgresql:///headrace?host=/run/postgresql&host=db.example",
        "postgresql://headrace@localhost/headrace?hostaddr=10.0.0.9",
        "postgresql:///headrace?hostaddr=10.0.0.9",
        "postgresql:///headrace?service=elsewhere",
    ],
)
def test_another_machine_is_entered_over_tls_that_checks_its_name(url: str) -> None:
    assert read_url(url).query["sslmode"] == VERIFY_FULL


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://headrace@127.0.0.1/headrace",
        "postgresql://headrace@localhost:5433/headrace",
        "postgresql://headrace@[::1]/headrace",
        "postgresql://headrace@localhost/headrace?hostaddr=127.0.0.1",
        "postgresql:///headrace?host=/run/postgresql",
        "sqlite+aiosqlite:///file.db",
    ],
)
def test_this_machine_is_entered_as_it_likes(url: str) -> None:
    assert "sslmode" not in read_url(url).query
    assert weakness(read_url(url)) == ""


def test_a_url_without_a_host_trusts_nobody_whom_the_environment_names() -> None:
    url = read_url("postgresql:///headrace")
    assert url.query["sslmode"] == VERIFY_FULL  # libpq takes no notice of it at a socket
    assert weakness(url) == ""


def test_an_address_that_is_elsewhere_is_warned_of() -> None:
    assert "10.0.0.9" in weakness(read_url("postgresql://u@localhost/headrace?hostaddr=10.0.0.9&sslmode=prefer"))


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca"])
def test_what_is_weaker_stays_and_is_warned_of_by_name(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    url = read_url(f"postgresql://headrace:hidden@db.example/headrace?sslmode={mode}")
    assert url.query["sslmode"] == mode
    [record] = caplog.records
    assert record.__dict__["why"] == weakness(url)
    assert f"sslmode={mode}" in weakness(url)
    assert "db.example" in weakness(url)
    assert "hidden" not in weakness(url)
    assert ("plaintext" in weakness(url)) == (mode in ("disable", "allow", "prefer"))


def test_what_is_strong_or_local_is_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    read_url("postgresql://headrace@db.example/headrace?sslmode=verify-full")
    read_url("postgresql://headrace@db.example/headrace")
    read_url("postgresql://headrace@127.0.0.1/headrace?sslmode=disable")
    assert caplog.records == []

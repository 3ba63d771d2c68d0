"""Cells of the live log as settings name them."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import SecretStr

from headrace.livelog import connect
from headrace.livelog.cell import Access, Address, Cell, TlsFiles
from headrace.livelog.settings import LogSettings, parse_cells
from headrace.runtime.config import BadSetting


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("", ()),
        ("redis://log:7000", (Cell("", (Address("log", 7000),)),)),
        ("redis://log", (Cell("", (Address("log", 6379),)),)),
        ("redis://[::1]:7000/", (Cell("", (Address("::1", 7000),)),)),
        (
            " a=redis://one:1,two:2  b=redis+cluster://three:3 ",
            (
                Cell("a", (Address("one", 1), Address("two", 2))),
                Cell("b", (Address("three", 3),), cluster=True),
            ),
        ),
        ("redis://:se%20cret@log", (Cell("", (Address("log", 6379),), Access(None, "se cret")),)),
        (
            "rediss://user:p%40ss@log:1,other:2?ssl_ca_certs=/ca.pem",
            (
                Cell(
                    "",
                    (Address("log", 1), Address("other", 2)),
                    Access("user", "p@ss", tls=TlsFiles("/ca.pem")),
                ),
            ),
        ),
        ("rediss+cluster://log:1", (Cell("", (Address("log", 1),), Access(tls=TlsFiles()), cluster=True),)),
    ],
)
def test_cells_are_read_from_their_urls(text: str, cells: tuple[Cell, ...]) -> None:
    assert parse_cells(text) == cells
    assert LogSettings(log_cells=SecretStr(text)).cells == cells


@pytest.mark.parametrize(
    "text",
    [
        "http://user:hidden@log",
        "Upper=redis://:hidden@log",
        "waytoolongname=redis://:hidden@log",
        "redis://:hidden@log:port",
        "redis://:hidden@log:99999999",
        "redis://:hidden@",
        "redis://:hidden@log,",
        "redis://:hidden@log/1",
        "redis://:hidden@log?ssl_ca_certs=/ca.pem",
        "rediss://:hidden@log?socket_timeout=hidden",
        "rediss://user:12?hidden@log",
        "redis://user:12?hidden=@log",
        "rediss://user:12?x&hidden=y@log",
        "rediss://:hidden@log?ssl_certfile=/our.pem",
        "redis://:hidden@log redis://:hidden@another",
        "a=redis://:hidden@log a=redis://:hidden@another",
    ],
)
def test_what_cannot_be_is_refused_without_a_word_of_its_password(text: str) -> None:
    with pytest.raises(BadSetting) as refused:
        LogSettings(log_cells=SecretStr(text))
    assert "HEADRACE_LOG_CELLS" in str(refused.value)
    assert "hidden" not in str(refused.value)


def test_what_is_said_for_all_cells_gives_way_to_what_a_cell_says() -> None:
    cells = LogSettings(
        log_cells=SecretStr(
            "a=rediss://one b=rediss://user:pass@two?ssl_ca_certs=/two.pem&ssl_certfile=/c&ssl_keyfile=/k c=redis://three"
        ),
        log_user="writer",
        log_password_file="/password",
        log_tls_authority="/ca.pem",
        log_tls_certificate="/our.pem",
        log_tls_key="/our.key",
    ).cells
    assert [cell.access for cell in cells] == [
        Access("writer", None, "/password", TlsFiles("/ca.pem", "/our.pem", "/our.key")),
        Access("user", "pass", "", TlsFiles("/two.pem", "/c", "/k")),
        Access("writer", None, "/password"),
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"log_tls_certificate": "/our.pem"}, "go together"),
        ({"log_tls_key": "/our.key"}, "go together"),
        ({"log_tls_authority": "/ca.pem"}, "no cell of HEADRACE_LOG_CELLS begins with rediss://"),
    ],
)
def test_files_for_tls_that_nothing_uses_are_a_mistake(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadSetting, match=f"^HEADRACE_LOG_TLS_KEY: .*{said}"):
        LogSettings(log_cells=SecretStr("redis://log"), **given)


def test_a_password_does_not_show_itself() -> None:
    settings = LogSettings(log_cells=SecretStr("redis://user:hidden@log"))
    assert "hidden" not in repr(settings) + str(settings) + repr(settings.cells) + repr(settings.model_dump())


def test_a_log_without_servers_cannot_be_connected_to() -> None:
    with pytest.raises(BadSetting, match="HEADRACE_LOG_CELLS"):
        connect(LogSettings())


def test_connecting_opens_nothing_yet() -> None:
    assert connect(LogSettings(log_cells=SecretStr("a=redis://nowhere.invalid b=redis://nor.invalid"))).cells == (
        "a",
        "b",
    )


def test_who_knows_a_logs_types_alone_carries_no_client() -> None:
    """Each run's worker is such a process."""
    looks = "import sys; from headrace.livelog import base, memory, settings; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", looks], check=False).returncode == 0

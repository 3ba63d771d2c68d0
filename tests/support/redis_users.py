"""The two users of the live log, as `docs/how-to/redis.md` says them."""

import re

from tests.support.house import REPO
from tests.support.redis import Server

PAGE = REPO / "docs" / "how-to" / "redis.md"
WRITER, READER = "headrace-writer", "headrace-reader"
PASSWORDS = {WRITER: "WRITERS-PASSWORD", READER: "READERS-PASSWORD"}


def lines() -> dict[str, list[str]]:
    """What the page gives each user, as the words of `ACL SETUSER`."""
    [block] = re.findall(r"```acl\n(.*?)```", PAGE.read_text(), re.DOTALL)
    words = [line.split() for line in block.splitlines()]
    return {user: rules for _, user, *rules in words}


def add_users(*servers: Server) -> None:
    """Let the two enter these servers. The default user stays, for the test itself."""
    for server in servers:
        for user, rules in lines().items():
            server.ask("ACL", "SETUSER", user, "reset", *rules)


def as_user(user: str, url: str) -> str:
    """A cell's URL with the user and its password."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{user}:{PASSWORDS[user]}@{rest}"

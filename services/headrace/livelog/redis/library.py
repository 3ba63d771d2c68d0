"""The function library: loaded into a server that misses it, by a writer, before its first call.

Law: readers load nothing: a server without the library holds no run. Neighbours: `functions.lua` is the library.
"""

from importlib.resources import files

from headrace.livelog.redis.connection import Link, ServerError

NAME = "headrace_1"
TAKEOVER, STAGE, PUBLISH, READ = (f"{NAME}_{each}".encode() for each in ("takeover", "stage", "publish", "read"))

_LOAD_S = 5.0


def code() -> str:
    """The library as a server gets it."""
    return f"#!lua name={NAME}\n" + files(__package__).joinpath("functions.lua").read_text()


async def load(link: Link) -> None:
    """Load it; somebody else may have done so meanwhile. Raises Unreachable."""
    reply = (await link.ask((b"FUNCTION", b"LOAD", code().encode()), deadline_s=_LOAD_S, keep_errors=True))[0]
    if isinstance(reply, ServerError) and "already exists" not in reply.text:
        raise link.lost(f"the function library cannot be loaded: {reply.text}")


def is_missing(reply: object) -> bool:
    """Whether a function was called that the server does not know."""
    return isinstance(reply, ServerError) and "Function not found" in reply.text

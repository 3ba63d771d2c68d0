"""Control's replicas: where they are, a channel to each, and questions that any of them may answer.

Law: a replica that is gone, silent or at a loss costs a question some seconds and never the answer, while another one
lives. So whatever is asked here may be asked twice. Neighbours: `control` asks, `reporting` tells each replica.
"""

import asyncio
import ipaddress
import random
import socket
from collections.abc import Iterable, Sequence
from types import TracebackType

from headrace.core.broadcast.refusals import Reason
from headrace.runtime.aio.clock import monotonic_s
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.wire import calls, metrics
from headrace.wire.channel import QUESTIONS, REPORTS
from headrace.wire.errors import BadTarget, CallLost, Unanswered
from headrace.wire.identity import Role
from headrace.wire.lines import Lines
from headrace.wire.trust import LOCAL, Trust

RESOLVE_EVERY_S = 3.0
RESOLVE_WITHIN_S = 10.0  # the resolver's own patience is about as long
MOST_REPLICAS = 32  # of one name: more are somebody's mistake
FIRST_SHARE = 0.8  # of a question's time, for one replica where there are others: who is dead is found out much sooner
PAUSE_S = 0.2  # before all are asked again

_WORDS = frozenset(reason.value for reason in Reason) - {Reason.UNAVAILABLE.value}

_unresolved = RateLimited(logger(__name__), "the name of control's replicas cannot be resolved", period_s=60.0)


class Replica:
    """One replica at a gRPC target. `with replica:` while it may be asked something."""

    def __init__(self, target: str, trust: Trust = LOCAL) -> None:
        self.target = target
        self.retired = False
        """Whether control's name does not lead here any more."""
        self.users = 0
        self.lines = Lines(target, QUESTIONS, trust, Role.CONTROL)
        """For questions. The first call opens one."""
        self.reports = Lines(target, REPORTS, trust, Role.CONTROL)
        """For what is said for ever: another connection, whose silence is found later."""

    async def close(self) -> None:
        """Its calls are cancelled."""
        await self.lines.close()
        await self.reports.close()

    def __enter__(self) -> "Replica":
        self.users += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.users -= 1


class Replicas:
    """Those that `targets` lead to: separated by commas, each `host:port` or `unix:/path`.

    A host that is a name may have several addresses: `run` follows it. `async with` closes the channels. `trust` has
    what is shown to them.
    """

    def __init__(self, targets: str, trust: Trust = LOCAL) -> None:
        """Raises BadTarget."""
        self._trust = trust
        self._order: list[Replica] = []  # the first is asked first
        self._retired: list[Replica] = []
        self._names: list[tuple[str, int]] = []
        self._found: dict[tuple[str, int], Sequence[str]] = {}
        fixed = []
        for target in targets.split(","):
            match _parsed(target.strip()):
                case str(address):
                    fixed.append(address)
                case host, port:
                    self._names.append((host, port))
        self._fixed = tuple(fixed)
        self._settle()

    @property
    def known(self) -> Sequence[Replica]:
        """All of them, in the order in which they are asked."""
        return tuple(self._order)

    async def __aenter__(self) -> "Replicas":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for replica in (*self._order, *self._retired):
            await replica.close()

    async def run(self) -> None:
        """Follow the names until cancelled; without any it has nothing to do."""
        async with asyncio.TaskGroup() as group:
            for host, port in self._names:
                group.create_task(self._follow(host, port))

    async def ask(self, full: str, request: bytes, deadline_s: float) -> bytes:
        """The answer of any replica to `full`, a method's path; those that are not there yet are waited for.

        Raises CallLost: with control's own code where it refused, or where none could do better than `unavailable`.
        """
        until_s = monotonic_s() + deadline_s
        lost = CallLost("no replica of control is known")
        while True:
            spoke = False
            for replica in self.known:
                left_s = until_s - monotonic_s()
                if left_s <= 0:
                    raise lost
                within_s = min(left_s, FIRST_SHARE * deadline_s) if len(self._order) > 1 else left_s
                try:
                    with replica:
                        async with replica.lines.channel() as channel:
                            return await calls.unary_call(channel, full, request, within_s)
                except CallLost as error:
                    if error.code in _WORDS:
                        raise
                    lost = error
                    spoke = spoke or not isinstance(error, Unanswered)
                    self.avoid(replica)
            if spoke or until_s - monotonic_s() <= PAUSE_S:
                raise lost
            await asyncio.sleep(PAUSE_S)

    def avoid(self, replica: Replica) -> None:
        """Ask the others first."""
        if replica in self._order:
            self._order.remove(replica)
            self._order.append(replica)

    async def _follow(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout(RESOLVE_WITHIN_S):
                    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError, TimeoutError) as error:
                # Those that were there yesterday are a better guess than none.
                metrics.UNRESOLVED.inc()
                _unresolved({"host": host, "why": str(error) or "no answer"})
            else:
                addresses = dict.fromkeys(_target(str(address[0]), port) for *_, address in found)
                self._found[host, port] = tuple(addresses)[:MOST_REPLICAS]
                self._settle()
            idle = [replica for replica in self._retired if not replica.users]
            self._retired = [replica for replica in self._retired if replica.users]
            for replica in idle:
                await replica.close()
            await asyncio.sleep(RESOLVE_EVERY_S)

    def _settle(self) -> None:
        """Make the replicas those that were found."""
        wanted = _unique((self._fixed, *self._found.values()))
        for replica in [replica for replica in self._order if replica.target not in wanted]:
            replica.retired = True
            self._order.remove(replica)
            self._retired.append(replica)
        known = {replica.target for replica in self._order}
        for target in wanted:
            if target not in known:
                # Anywhere, so that not all pods ask the same one.
                self._order.insert(random.randint(0, len(self._order)), Replica(target, self._trust))


def _parsed(target: str) -> str | tuple[str, int]:
    """A gRPC target, or a name to be resolved and its port. Raises BadTarget."""
    if target.startswith("unix:"):
        return target
    host, colon, port = target.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise BadTarget(f"{target!r} is no gRPC target: host:port or unix:/path is wanted")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host, int(port)
    return _target(host, int(port))


def _target(address: str, port: int) -> str:
    return f"ipv6:[{address}]:{port}" if ":" in address else f"ipv4:{address}:{port}"


def _unique(several: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(target for some in several for target in some))

"""Where a test's processes live: all on loopback, or each on a host of its own, a network namespace with an address.

Law: a host is an address and the words before a command that make it run there. A network of hosts needs root and says
so; it is gone with `close`, and what a killed process left behind is removed by the next one that is made: names carry
the process's id.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MARK = "hrt"  # headrace's tests: `hrt<pid>` is a bridge, `hrt<pid>-<n>` a host and the bridge's end of its cable
NAMES = re.compile(rf"{MARK}(\d+)(?:-\d+)?")


class NeedsRoot(Exception):
    """Only root can make network namespaces; the message says so."""


@dataclass(frozen=True, slots=True)
class Host:
    """`address` is what others reach it by; `command` runs what follows it there."""

    address: str = "127.0.0.1"
    command: tuple[str, ...] = ()
    cable: str = ""

    def unplug(self) -> None:
        """From now on nothing reaches it and it reaches nobody, and neither is told; it can still reach itself."""
        _ip("link", "set", self.cable, "down")

    def plug_in(self) -> None:
        """End of that."""
        _ip("link", "set", self.cable, "up")


LOOPBACK = Host()


class Network:
    """Hosts on a bridge, whose addresses this process reaches too."""

    def __init__(self) -> None:
        """Raises NeedsRoot."""
        if os.geteuid() != 0:
            raise NeedsRoot("network namespaces are made by root alone: run these tests as root")
        _sweep()
        self.name = f"{MARK}{os.getpid()}"
        self._hosts = 0
        self._prefix = next(prefix for prefix in _prefixes() if prefix not in _taken())
        try:
            _ip("link", "add", self.name, "type", "bridge")
            _ip("address", "add", f"{self._prefix}.1/24", "dev", self.name)
            _ip("link", "set", self.name, "up")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Network":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def host(self) -> Host:
        """One more host."""
        self._hosts += 1
        name, address = f"{self.name}-{self._hosts}", f"{self._prefix}.{self._hosts + 1}"
        inside = ("-n", name)
        _ip("netns", "add", name)
        _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", name, "master", self.name, "up")
        _ip(*inside, "address", "add", f"{address}/24", "dev", "eth0")
        _ip(*inside, "link", "set", "eth0", "up")
        _ip(*inside, "link", "set", "lo", "up")
        return Host(address, ("ip", "netns", "exec", name), name)

    def close(self) -> None:
        """Remove all of it; a process that still runs on a host keeps a network without cables."""
        _remove(self.name)


def _sweep() -> None:
    """Remove the networks of processes that are gone."""
    for pid in {match[1] for match in map(NAMES.fullmatch, names()) if match}:
        if not Path(f"/proc/{pid}").exists():
            _remove(f"{MARK}{pid}")


def _remove(network: str) -> None:
    for name in names():
        if name == network or name.startswith(f"{network}-"):
            # A namespace lives on while a process is in it, and would keep the other end of its cable.
            for command in (("link", "delete", name), ("netns", "delete", name)):
                with suppress(OSError):
                    _ip(*command)


def names() -> set[str]:
    """All there is of any network of hosts on this machine."""
    namespaces = {entry.name for entry in Path("/run/netns").glob(f"{MARK}*")}
    return namespaces | {entry.name for entry in Path("/sys/class/net").glob(f"{MARK}*")}


def _prefixes() -> Iterator[str]:
    start = os.getpid()
    return (f"10.{213 + n // 256 % 40}.{n % 256}" for n in range(start, start + 40 * 256))


def _taken() -> str:
    return _ip("-4", "-o", "address", "show")


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False, timeout=10)
    if done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout

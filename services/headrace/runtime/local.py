"""Whether a host is this machine: what is said to it crosses no network.

Law: pure; names are not looked up. Neighbours: those who must say when they speak in plaintext.
"""

from ipaddress import ip_address


def is_local(host: str) -> bool:
    """A loopback address, `localhost`, or the path of a Unix socket (also an empty one, the default socket's)."""
    if not host or host.startswith(("/", "@")) or host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False

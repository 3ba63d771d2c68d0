"""Which host the URLs name that are handed out.

Law: what the user gave, if one can go there; an unspecified address (0.0.0.0, ::) is a place to listen and none to go.
"""

import socket
from ipaddress import ip_address

# Routed like any other machine's; a datagram socket that connects sends nothing.
_BEYOND = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
_DISCARD_PORT = 9


def public_host(host: str) -> str:
    """`host`; for an unspecified address the one by which others reach this machine, without a network its loopback."""
    try:
        if not ip_address(host).is_unspecified:
            return host
    except ValueError:
        return host  # a name
    # Who listens on :: is reached over IPv4 as well.
    for family in (socket.AF_INET6, socket.AF_INET) if ":" in host else (socket.AF_INET,):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((_BEYOND[family], _DISCARD_PORT))
                return str(probe.getsockname()[0])
        except OSError:
            continue
    return "127.0.0.1"

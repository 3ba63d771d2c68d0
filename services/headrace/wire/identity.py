"""Who a service is, as certificates say it: `spiffe://<trust domain>/ns/<namespace>/sa/<account>`.

Law: the role is what follows the account's last `-`, or all of it. Two services belong together whose trust domain and
namespace are the same. A server carries its identity as a DNS name as well, `<account>.<namespace>.svc.<trust domain>`
(in a cluster that of the account's Kubernetes service): gRPC's clients look at nothing else (docs/adr/0021).
Neighbours: `trust` checks our own, `gate` that of callers.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

_URI = re.compile(r"spiffe://([a-z0-9._-]{1,255})/ns/([a-z0-9-]{1,63})/sa/([a-z0-9.-]{1,253})", re.ASCII)


class Role(StrEnum):
    """What a service is to the others."""

    EDGE = "edge"
    TRANSCODER = "transcoder"
    ORIGIN = "origin"
    CONTROL = "control"


_ROLES = {role.value: role for role in Role}


@dataclass(frozen=True, slots=True)
class Identity:
    """One pod's, which it shares with all pods of its account."""

    trust_domain: str
    namespace: str
    account: str

    def __str__(self) -> str:
        return f"spiffe://{self.trust_domain}/ns/{self.namespace}/sa/{self.account}"

    @property
    def role(self) -> Role | None:
        """None where the account is of none of our services."""
        return _ROLES.get(self.account.rpartition("-")[2])

    @property
    def dns_name(self) -> str:
        """The name that a server's certificate has beside the URI."""
        return f"{self.account}.{self.namespace}.svc.{self.trust_domain}"

    def sibling(self, role: Role) -> "Identity":
        """The same installation's service of that role: what comes before the role is the same."""
        before, dash, _ = self.account.rpartition("-")
        return replace(self, account=f"{before}{dash}{role}")

    def belongs_to(self, other: "Identity") -> bool:
        """Whether both are of one trust domain and namespace."""
        return (self.trust_domain, self.namespace) == (other.trust_domain, other.namespace)


def parse_identity(uri: str) -> Identity | None:
    """None where `uri` is no identity of a service."""
    found = _URI.fullmatch(uri)
    return Identity(*found.groups()) if found else None

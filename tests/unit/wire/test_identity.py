"""Identities: what is one, whose role it is, and who belongs together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.wire.identity import Identity, Role, parse_identity

EDGE = "spiffe://cluster.local/ns/live/sa/headrace-edge"


@pytest.mark.parametrize(
    ("account", "role"),
    [
        ("edge", Role.EDGE),
        ("headrace-edge", Role.EDGE),
        ("my-headrace-transcoder", Role.TRANSCODER),
        ("x-origin", Role.ORIGIN),
        ("control", Role.CONTROL),
        ("headrace", None),
        ("edges", None),
        ("myedge", None),
        ("edge-", None),
        ("edge-0", None),
        ("control-plane", None),
    ],
)
def test_the_role_is_what_follows_the_last_dash(account: str, role: Role | None) -> None:
    found = parse_identity(f"spiffe://cluster.local/ns/live/sa/{account}")
    assert found is not None
    assert found.role is role


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "https://cluster.local/ns/live/sa/edge",
        "spiffe://cluster.local/ns/live/sa/",
        "spiffe://cluster.local/ns//sa/edge",
        "spiffe:///ns/live/sa/edge",
        "spiffe://cluster.local/sa/edge/ns/live",
        "spiffe://cluster.local/ns/live/sa/edge/x",
        "spiffe://cluster.local/x/ns/live/sa/edge",
        f"{EDGE}?role=control",
        f"{EDGE}#control",
        f"{EDGE}\n",
        f" {EDGE}",
        "spiffe://cluster.local:80/ns/live/sa/edge",
        "spiffe://u@cluster.local/ns/live/sa/edge",
        "spiffe://cluster.local/ns/live/sa/%65dge",
        "spiffe://cluster.local/ns/live/sa/édge",
        "SPIFFE://CLUSTER.LOCAL/ns/live/sa/edge",
    ],
)
def test_anything_else_is_no_identity(uri: str) -> None:
    assert parse_identity(uri) is None


@given(st.text(max_size=60))
def test_whatever_is_one_is_written_as_it_was_read(text: str) -> None:
    for uri in (
        text,
        f"spiffe://{text}/ns/live/sa/edge",
        f"spiffe://a/ns/{text}/sa/edge",
        f"spiffe://a/ns/b/sa/{text}",
    ):
        found = parse_identity(uri)
        assert found is None or str(found) == uri


@pytest.mark.parametrize(
    ("uri", "belongs"),
    [
        ("spiffe://cluster.local/ns/live/sa/headrace-control", True),
        ("spiffe://cluster.local/ns/live/sa/other-control", True),
        ("spiffe://cluster.local/ns/test/sa/headrace-control", False),
        ("spiffe://example.org/ns/live/sa/headrace-control", False),
    ],
)
def test_services_of_one_trust_domain_and_namespace_belong_together(uri: str, belongs: bool) -> None:
    edge, other = parse_identity(EDGE), parse_identity(uri)
    assert edge is not None
    assert other is not None
    assert edge.belongs_to(other) is belongs


@pytest.mark.parametrize(
    ("account", "name"),
    [
        ("headrace-edge", "headrace-control.live.svc.cluster.local"),
        ("edge", "control.live.svc.cluster.local"),
        ("a-b-edge", "a-b-control.live.svc.cluster.local"),
    ],
)
def test_who_is_dialled_has_the_name_that_differs_by_its_role(account: str, name: str) -> None:
    assert Identity("cluster.local", "live", account).sibling(Role.CONTROL).dns_name == name

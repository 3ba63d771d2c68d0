"""Rows: what goes wrong between the services. Law: the codes of `wire`."""

from headrace.core.error_table.row import Cause, Row

_NETWORK = "Look whether the other pod lives and can be reached; calls are made again by themselves."
_KEYS = "Look at control's private key and the transcoders' public keys: each private key needs its public one on all."


def _lease(code: str, meaning: str, do: str = _KEYS, grpc: str = "UNAUTHENTICATED") -> Row:
    return Row(code, meaning, Cause.PEER, do, grpc=grpc)


SERVICES = (
    Row(
        "bad_message",
        "A message between services is none: a field is missing or holds what it must not.",
        Cause.PEER,
        "Look at the pods' versions: one is too old for the other. Otherwise somebody else speaks to the port.",
        grpc="INVALID_ARGUMENT",
    ),
    Row(
        "call_lost",
        "A call did not end in order: the other pod is gone or silent.",
        Cause.PEER,
        _NETWORK,
        grpc="UNAVAILABLE",
    ),
    Row(
        "ingest_lost",
        "The call that carries a stream's media did not end in order.",
        Cause.PEER,
        _NETWORK,
        grpc="ABORTED",
    ),
    Row(
        "no_trust",
        "A `host:port` can only be dialled or served with certificates, and there are none.",
        Cause.OPERATOR,
        "Give the pod a certificate (`HEADRACE_TLS_*`); on a network of yours `HEADRACE_PLAINTEXT=true` does without.",
    ),
    Row(
        "no_identity",
        "The caller's certificate says of no service that it is one.",
        Cause.PEER,
        "Look at the URI SAN of the caller's certificate, which the line names; otherwise it may be an attack.",
        grpc="UNAUTHENTICATED",
    ),
    Row(
        "not_allowed",
        "The caller may not ask for this: its certificate is another service's, or its name a transcoder's.",
        Cause.PEER,
        "Look at the URI SAN of the caller's certificate, or at its `HEADRACE_POD`, which the line names; otherwise it "
        "may be an attack.",
        grpc="PERMISSION_DENIED",
    ),
    _lease("lease_missing", "An edge shows no lease token."),
    _lease("lease_invalid", "What an edge shows is no lease token, or control has not signed it."),
    _lease("lease_unknown_key", "The lease token is signed by a key that this transcoder has not."),
    _lease(
        "lease_foreign",
        "The lease token is of another run or session: somebody uses what is not his.",
        "Find out which pod it was; it may be an attack.",
        "PERMISSION_DENIED",
    ),
    _lease(
        "lease_expired",
        "The lease token was too old when its session dialled for the first time.",
        "Compare the clocks of control and of the transcoder.",
        "PERMISSION_DENIED",
    ),
)

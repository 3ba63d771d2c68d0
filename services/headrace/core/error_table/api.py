"""Rows: what the REST API refuses, as problem+json. Law: one HTTP status for each code."""

from headrace.core.error_table.row import Cause, Row

_NOTHING = "Nothing."
_DATABASE = "Look at PostgreSQL and the network to it: `headrace_control_*` and the log's line say what failed."
_AGAIN = "Send the request again after `Retry-After`; with an `Idempotency-Key` a POST may be repeated safely."

API = (
    Row(
        "unauthorized",
        "The request has no API key or console session, or not the right one.",
        Cause.CLIENT,
        _NOTHING,
        "Send `Authorization: Bearer <API key>`; in the browser, open the console's login link or enter the key.",
        http=401,
    ),
    Row(
        "no_console_header",
        "A write came with the console's cookie alone, as another site's page could cause it.",
        Cause.CLIENT,
        _NOTHING,
        "Use the API key, or send the header that the sentence names.",
        http=403,
    ),
    Row(
        "no_stream",
        "There is no stream of this id, or no more.",
        Cause.CLIENT,
        _NOTHING,
        "List the streams: `GET /v1/streams`.",
        http=404,
    ),
    Row("not_found", "There is nothing at this path.", Cause.CLIENT, _NOTHING, "Look at `/docs`.", http=404),
    Row(
        "method_not_allowed",
        "The path is there, the method is not.",
        Cause.CLIENT,
        _NOTHING,
        "Look at `/docs`; the header `Allow` has the methods.",
        http=405,
    ),
    Row(
        "idempotency_key_reused",
        "The Idempotency-Key was used for another request within 24 hours.",
        Cause.CLIENT,
        _NOTHING,
        "Make a new Idempotency-Key for each new request.",
        http=409,
    ),
    Row(
        "body_too_large",
        "The request's body is larger than any that makes sense.",
        Cause.CLIENT,
        _NOTHING,
        "Send less; the sentence has the limit.",
        http=413,
    ),
    Row(
        "bad_request",
        "The request cannot be read.",
        Cause.CLIENT,
        _NOTHING,
        "Send JSON, as `/docs` describes it.",
        http=400,
    ),
    Row(
        "invalid",
        "A field is missing, or holds what it must not.",
        Cause.CLIENT,
        _NOTHING,
        "`errors` names each field and what is wrong with it.",
        http=422,
    ),
    Row(
        "bad_profile",
        "The profile cannot be obeyed.",
        Cause.CLIENT,
        _NOTHING,
        "The sentence names the field and its range.",
        http=422,
    ),
    Row(
        "bad_cursor",
        "The cursor is not one that a page named.",
        Cause.CLIENT,
        _NOTHING,
        "Use the `next_cursor` of the page before, or none.",
        http=422,
    ),
    Row(
        "database",
        "The database does not answer, or refused.",
        Cause.OPERATOR,
        _DATABASE,
        _AGAIN,
        grpc="UNAVAILABLE",
        http=503,
    ),
    Row(
        "conflict",
        "Others wrote the same rows at the same time, again and again.",
        Cause.OPERATOR,
        _DATABASE,
        _AGAIN,
        grpc="UNAVAILABLE",
        http=503,
    ),
    Row(
        "internal",
        "What nobody foresaw.",
        Cause.US,
        "Report the traceback that the log has at this time.",
        "Try again; tell the operator when.",
        grpc="INTERNAL",
        http=500,
    ),
)

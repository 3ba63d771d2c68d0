"""What a call is a part of, told in its metadata: W3C's `traceparent`.

Law: a call is made and answered the same whether or not there is any; what comes is believed only as far as a span's
parent goes. Source: W3C Trace Context, §3.2. Neighbours: `calls` and `media` make and answer calls, `runtime.telemetry`
knows the spans.
"""

from grpc.aio import Metadata, ServicerContext

from headrace.runtime.telemetry import traces

KEY = "traceparent"


def carried() -> Metadata | None:
    """The metadata of a call that is made here and now."""
    traceparent = traces.here()
    return Metadata((KEY, traceparent)) if traceparent else None


def hear(context: ServicerContext[bytes, bytes]) -> None:
    """What this task does, it does for the caller's span."""
    if not traces.on():
        return
    for key, value in context.invocation_metadata() or ():
        if key == KEY and isinstance(value, str):
            traces.heard(value)
            return
    traces.heard("")

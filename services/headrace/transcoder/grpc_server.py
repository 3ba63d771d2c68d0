"""The Ingest service: one call is one attempt at one session of a run.

Law: the edge's lease token, then takeover, then `Accepted`, then frames; a foreign edge reaches neither log nor worker.
The next message is read only when the worker has taken the one before, so a slow worker stops the edge. A call that is
lost leaves its work to end by itself. Neighbours: `wire.media` carries the messages, `supervisor` gives the work,
`wire.lease` knows edges.
"""

from headrace.core.broadcast import Refused
from headrace.core.errors import HeadraceError
from headrace.livelog.base import Fenced, LogError
from headrace.runtime.aio.tasks import task_group
from headrace.runtime.telemetry.logs import RateLimited, learn, logger
from headrace.runtime.telemetry.traces import Span, Tracer
from headrace.transcoder import metrics
from headrace.transcoder.supervisor import Supervisor
from headrace.transcoder.work import Work
from headrace.wire.lease import LeaseRefused, LeaseVerifier
from headrace.wire.media import Accepted, End, Frames, Hold, IngestRefused, IngestStream, Open, Progress

_log = logger(__name__)
_tracer = Tracer("transcoder")
_refused = RateLimited(_log, "call refused")


class Ingest:
    """Serves calls by `supervisor`'s works, of edges whom `verifier` knows; `add_ingest(server, ingest.serve)`."""

    def __init__(self, supervisor: Supervisor, verifier: LeaseVerifier | None = None) -> None:
        self._supervisor = supervisor
        self._verifier = verifier

    async def serve(self, opened: Open, stream: IngestStream) -> None:
        """One call to its end. Raises what the work failed of."""
        learn(run=opened.run, session=opened.session, attempt=opened.attempt)
        try:
            with _tracer.of_run(opened.run, Span.TAKE_RUN, session=opened.session, attempt=opened.attempt):
                if self._verifier is not None:
                    self._verifier.check(opened)
                work = await self._supervisor.take(opened)
        except (LeaseRefused, Refused, LogError) as error:
            _refused({"run": opened.run, "code": error.code, "why": str(error)})
            metrics.CALLS.labels(error.code).inc()
            fence = error.epoch if isinstance(error, Fenced) else None
            await stream.write(IngestRefused(error.code, str(error), fence))
            return
        outcome = "lost"
        try:
            await stream.write(Accepted(work.resume_from))
            await self._carry(work, stream)
            outcome = "done"
        except HeadraceError as error:
            outcome = error.code
            raise
        finally:
            work.leave()
            metrics.CALLS.labels(outcome).inc()

    async def _carry(self, work: Work, stream: IngestStream) -> None:
        # Telling ends by itself, since a write that is cancelled may still be under way.
        async with task_group() as group:
            group.create_task(_tell(work, stream))
            await _feed(work, stream)


async def _feed(work: Work, stream: IngestStream) -> None:
    """Media from the call to the worker, until the source stops or ends and all is in the log."""
    while (step := await stream.read()) is not None:
        match step:
            case Frames(frames):
                await work.feed(frames)
            case Hold(at):
                await work.hold(at)
                return
            case End():
                await work.end()
                return


async def _tell(work: Work, stream: IngestStream) -> None:
    """Progress to the edge, as it is made, to the last."""
    seen = work.progress
    while True:
        await stream.write(Progress(seen.published, seen.durable))
        if (progress := await work.next_progress(seen)) is None:
            return
        seen = progress

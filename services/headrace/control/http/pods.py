"""`/v1/pods`: the fleet as this replica of control hears it.

Law: a skin over `control.pods`, and `fleet` for what is held; it only shows.
"""

from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import version

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from headrace.control.fleet import Fleet
from headrace.control.http.problems import responses
from headrace.control.http.security import Guard
from headrace.control.pods import PodCondition, Pods, SeenPod
from headrace.runtime.aio.clock import unix_ms
from headrace.wire.control import PodKind

_VERSION = version("headrace")


class PodJson(BaseModel):
    """A pod, by its last report."""

    pod: str = Field(description="Its name.", examples=["transcoder-0"])
    kind: PodKind = Field(description="What it is.")
    zone: str = Field(description="Its availability zone; empty: unknown.", examples=["eu-central-1a"])
    version: str = Field(description="Its version of Headrace.", examples=["1.2.0"])
    condition: PodCondition = Field(
        description="`ready`: it takes new work. `not_ready`: it starts, drains, or cannot work. `silent`: it has not "
        "reported for some seconds, gets nothing new, and is forgotten after a minute."
    )
    target: str = Field(description="A transcoder's gRPC target; empty for others.", examples=["10.0.3.7:7071"])
    capacity_pixels_s: int = Field(description="What a transcoder can do, pixels/s.")
    used_pixels_s: int = Field(description="What its runs cost, pixels/s.")
    held_pixels_s: int = Field(description="What of it is promised to runs, pixels/s, as far as is known here.")
    runs: int = Field(description="How many runs a transcoder works on.")
    sessions: int = Field(description="How many sessions an edge holds.")
    heard_s: float = Field(description="How long ago its last report came, seconds.")
    clock_ms: int | None = Field(
        description="How far its clock is ahead of control's, milliseconds; what a report takes on its way makes it "
        "seem behind. Null: it has not told."
    )

    @classmethod
    def of(cls, seen: SeenPod, held: int) -> "PodJson":
        """A pod as the API shows it."""
        report = seen.report
        return cls(
            pod=report.pod,
            kind=report.kind,
            zone=report.zone,
            version=report.version,
            condition=seen.condition,
            target=report.target,
            capacity_pixels_s=report.capacity,
            used_pixels_s=report.used,
            held_pixels_s=held,
            runs=len(report.runs),
            sessions=len(report.sessions),
            heard_s=round(seen.heard_s, 3),
            clock_ms=seen.clock_ms,
        )


class FleetJson(BaseModel):
    """The fleet."""

    version: str = Field(description="This replica's own version of Headrace.", examples=["1.2.0"])
    now: datetime = Field(description="The time by this replica's clock.")
    complete: bool = Field(description="Whether it has listened for long enough to know every living pod.")
    pods: list[PodJson]


def pods_router(pods: Pods, fleet: Fleet, guard: Guard) -> APIRouter:
    """The route."""
    common = responses(HTTPStatus.UNAUTHORIZED)
    router = APIRouter(prefix="/v1/pods", tags=["pods"], dependencies=[Depends(guard)], responses=common)

    @router.get("", operation_id="listPods", summary="Look at the fleet")
    async def page() -> FleetJson:
        """Edges, transcoders and origins, as this replica of control hears them."""
        shown = [PodJson.of(one, fleet.held(one.report.pod)) for one in pods.seen()]
        now = datetime.fromtimestamp(unix_ms() / 1000, UTC)
        return FleetJson(version=_VERSION, now=now, complete=fleet.known, pods=shown)

    return router

"""The routes that say whether the process is alive, and ready to serve."""

from __future__ import annotations

from typing import Final, Literal

from fastapi import APIRouter, Response

from partywall.core.http.dependencies import ResourcesDep
from partywall.core.http.schemas import Alive, Readiness

router = APIRouter(tags=["operation"])

# May fail without stopping the service: only files need the blobs, the cache is rebuilt, search works without vectors,
# and mails wait in the queue.
EXPENDABLE: Final = frozenset({"blobs", "cache", "embedder", "mailer", "vectors"})


@router.get("/healthz", summary="Is the process alive?", description="Checks no other part.")
async def healthz() -> Alive:
    return Alive(status="alive")


@router.get(
    "/readyz",
    summary="Can requests be served?",
    description="Pings every resource; 503 names the failing one.",
    responses={503: {"model": Readiness, "description": "A required resource does not answer"}},
)
async def readyz(resources: ResourcesDep, response: Response) -> Readiness:
    answers = await resources.pings.ask()
    failing = {name for name, answered in answers.items() if not answered}
    if failing - EXPENDABLE:
        response.status_code = 503
    status: Literal["ready", "degraded", "unavailable"] = (
        "unavailable" if failing - EXPENDABLE else "degraded" if failing else "ready"
    )
    return Readiness(
        status=status, resources={name: "ok" if answered else "failing" for name, answered in answers.items()}
    )

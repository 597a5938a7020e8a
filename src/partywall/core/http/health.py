from __future__ import annotations

import asyncio
from typing import Final, Literal

import structlog
from fastapi import APIRouter, Response

from partywall.core.http.dependencies import ResourcesDep
from partywall.core.http.schemas import Alive, Readiness
from partywall.core.masking import what_failed
from partywall.core.resources import Ping

log = structlog.get_logger(__name__)

router = APIRouter(tags=["operation"])

PING_TIMEOUT_SECONDS: Final = 3.0
# May be away without stopping the service: what the cache holds is lost and rebuilt, words are found without vectors,
# and mails wait in the queue.
EXPENDABLE: Final = frozenset({"cache", "embedder", "mailer"})


@router.get("/healthz", summary="Is the process alive?", description="Asks nothing of any other part.")
async def healthz() -> Alive:
    return Alive(status="alive")


@router.get(
    "/readyz",
    summary="Can requests be served?",
    description="Pings every resource; 503 names the failing one.",
    responses={503: {"model": Readiness, "description": "A resource that is needed does not answer"}},
)
async def readyz(resources: ResourcesDep, response: Response) -> Readiness:
    names = list(resources.pings)
    async with asyncio.TaskGroup() as group:
        answers = [group.create_task(_answers(name, resources.pings[name])) for name in names]
    failing = {name for name, answer in zip(names, answers, strict=True) if not answer.result()}
    if failing - EXPENDABLE:
        response.status_code = 503
    status: Literal["ready", "degraded", "unavailable"] = (
        "unavailable" if failing - EXPENDABLE else "degraded" if failing else "ready"
    )
    return Readiness(status=status, resources={name: "failing" if name in failing else "ok" for name in names})


async def _answers(name: str, ping: Ping) -> bool:
    try:
        async with asyncio.timeout(PING_TIMEOUT_SECONDS):
            await ping()
    except Exception as error:  # noqa: BLE001 - whatever the ping raises means: failing
        log.warning("ping_failed", resource=name, **what_failed(error))
        return False
    return True

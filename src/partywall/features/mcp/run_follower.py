"""Waits for a run: its events wake the waiter, which then reads the run again."""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import UUID

import orjson

from partywall.core.events.filters import TypeFilter
from partywall.core.events.frames import body_of
from partywall.core.events.subscription import Subscription
from partywall.features.live.dependencies import get_live_service
from partywall.features.mcp.caller import Caller
from partywall.features.mcp.schemas import FollowedRun
from partywall.features.mcp.tool import ReportProgress
from partywall.features.runs import service as runs
from partywall.features.runs.schemas import Run, RunStatus

# All events of a run except its tokens.
_STEPS: Final = TypeFilter.parse(
    "run.queued,run.started,run.tool_called,run.tool_returned,run.usage,run.waiting,run.succeeded,run.failed,"
    "run.cancelled"
)

# A run is not settled after these, so it need not be read again.
_GOES_ON: Final = frozenset({"queued", "started", "tool_called", "tool_returned", "usage"})


async def current(caller: Caller, run_id: UUID) -> Run:
    """Raises RunNotFoundError."""
    async with caller.reading() as (session, scope):
        return (await runs.get_run(session, scope, run_id)).run


async def follow(caller: Caller, run_id: UUID, seconds: float, report: ReportProgress) -> FollowedRun:
    """The run once it is settled, or its state on timeout, server drain or expiry of the credential.

    Holds no database connection while it waits. Raises RunNotFoundError, and TooManyStreamsError, because it counts
    as a stream.
    """
    await runs.require_run(caller.reader, caller.project_id, run_id)
    service = await get_live_service(caller.resources)
    verified = await caller.verified()
    subscription = await service.follow(verified, caller.project_id, None, _STEPS, run_id)
    until = asyncio.get_running_loop().time() + seconds
    try:
        # Read after subscribing, so that no later event is missed.
        run = await current(caller, run_id)
        while not _settled(run):
            steps = await _next_steps(subscription, until)
            for step in steps or ():
                await report(step)
            if steps is None or steps[-1].split()[0] not in _GOES_ON:
                run = await current(caller, run_id)
            if steps is None:
                break
    finally:
        subscription.close()
    return FollowedRun(run=run, settled=_settled(run))


async def _next_steps(subscription: Subscription, until: float) -> list[str] | None:
    """The next steps; None on timeout or when the subscription has ended."""
    try:
        async with asyncio.timeout_at(until):
            while (frames := await subscription.frames()) == []:
                pass
    except TimeoutError:
        return None
    return None if frames is None else [_step(frame) for frame in frames]


def _step(frame: bytes) -> str:
    """Such as `tool_called search`."""
    event = orjson.loads(body_of(frame))
    return " ".join((event["type"].removeprefix("run."), *filter(None, [event["data"].get("tool")])))


def _settled(run: Run) -> bool:
    return run.status.over or run.status is RunStatus.WAITING

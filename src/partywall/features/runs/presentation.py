"""A run as clients see it."""

from __future__ import annotations

from partywall.features.budgets.presentation import dollars
from partywall.features.runs.models import Run as RunRow
from partywall.features.runs.pending_step import pending_id
from partywall.features.runs.schemas import PendingCall, Run, RunError, RunStatus, Usage


def _pending(row: RunRow) -> list[PendingCall]:
    calls = row.pending or []
    shown = pending_id(row.id, row.turn, calls)
    return [PendingCall.model_validate({"pending_id": shown, **call}) for call in calls]


def present(row: RunRow) -> Run:
    return Run(
        id=row.id,
        agent=row.agent,
        status=RunStatus(row.status),
        input=row.input,
        output=row.output,
        error=None if row.error_code is None else RunError(code=row.error_code, detail=row.error_detail or ""),
        usage=Usage(
            model_calls=row.model_calls,
            tool_calls=row.tool_calls,
            input_tokens=row.input_tokens,
            output_tokens=row.output_tokens,
            seconds=round(row.seconds, 3),
            cost=dollars(row.cost) if row.priced else None,
        ),
        pending=_pending(row),
        continues=row.continues,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )

from __future__ import annotations

from typing import Final
from uuid import UUID

from partywall.core.jobs.kinds import JobKind, ProjectJobPayload


class RunAgent(ProjectJobPayload):
    """One run, from where its journal ends. `principal` is who started it."""

    run_id: UUID


# The run counts its own attempts, and those without progress only; a deploy in the middle is no failure.
RUN_AGENT: Final = JobKind("run_agent", RunAgent, max_attempts=10_000)

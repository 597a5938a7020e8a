from __future__ import annotations

from typing import Final
from uuid import UUID

from partywall.core.jobs.kinds import JobKind
from partywall.core.jobs.payloads import ProjectJobPayload


class RunAgent(ProjectJobPayload):
    """Continues one run from its journal. `principal` is who started it."""

    run_id: UUID


# The run counts its attempts itself, and only those without progress: a deploy during a run is not a failure.
RUN_AGENT: Final = JobKind("run_agent", RunAgent, max_attempts=10_000)

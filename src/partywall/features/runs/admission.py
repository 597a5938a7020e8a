"""Limits on runs: the job queue limits the running ones; this module limits the unfinished ones."""

from __future__ import annotations

from dataclasses import dataclass

from partywall.core.db.session import AsyncSession
from partywall.core.jobs.queue import enqueue_once
from partywall.core.resources import Resources
from partywall.core.tenancy import ProjectNotFoundError, ProjectScope, SharedScope
from partywall.features.runs.admission_repository import AdmissionRepository
from partywall.features.runs.exceptions import TooManyOpenRunsError
from partywall.features.runs.jobs import RUN_AGENT, RunAgent
from partywall.features.runs.models import Run


@dataclass(frozen=True, slots=True)
class OpenRunLimits:
    """Maximum numbers of unfinished runs in a project, and in all projects of an account."""

    in_project: int
    in_account: int

    @classmethod
    def of(cls, resources: Resources) -> OpenRunLimits:
        settings = resources.settings.agents
        return cls(settings.open_runs_per_project, settings.open_runs_per_account)


async def lock_starts(session: AsyncSession, scope: SharedScope) -> None:
    """Serialises the starts of an account until the transaction ends, so that the count of open runs stays valid."""
    await AdmissionRepository(session, scope).lock()


async def refuse_too_many(session: AsyncSession, scope: ProjectScope, limits: OpenRunLimits) -> None:
    """Raises TooManyOpenRunsError if no further run may be started."""
    found = await AdmissionRepository(session, scope).open()
    if found is None:
        raise ProjectNotFoundError
    for name, used, limit in (
        ("project", found.of_project, limits.in_project),
        ("account", found.of_account, limits.in_account),
    ):
        if used >= limit:
            raise TooManyOpenRunsError(name, used, limit)


async def enqueue_run(session: AsyncSession, run: Run) -> None:
    """Enqueues the run's job, with the principal that started it. Resumed runs have priority over new ones."""
    payload = RunAgent(project_id=run.project_id, principal=run.principal, run_id=run.id)
    await enqueue_once(session, RUN_AGENT, payload, run.id, priority=int(run.turn > 1))

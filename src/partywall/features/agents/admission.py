"""Fair between projects: only as many of a project's runs as it has places stand on the queue that all share."""

from __future__ import annotations

from dataclasses import dataclass

from partywall.core.db.session import AsyncSession
from partywall.core.jobs.queue import enqueue
from partywall.core.tenancy import ProjectScope
from partywall.features.agents.admission_repository import AdmissionRepository
from partywall.features.agents.jobs import RUN_AGENT, RunAgent


@dataclass(frozen=True, slots=True)
class Admission:
    session: AsyncSession
    scope: ProjectScope
    places: int

    async def lock(self) -> None:
        """Before a run's status is changed, so that nobody waits for another in a ring."""
        await AdmissionRepository(self.session, self.scope).lock()

    async def fill(self) -> None:
        """Gives the places that are free to the runs that wait; a job for each, in the same transaction."""
        repository = AdmissionRepository(self.session, self.scope)
        free = self.places - await repository.taken()
        if free <= 0:
            return
        for run_id, principal in await repository.admit(free):
            payload = RunAgent(project_id=self.scope.project_id, principal=principal, run_id=run_id)
            await enqueue(self.session, RUN_AGENT, payload)

"""Fair between accounts: each has only so many runs on the queue that all share, however many projects it has."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from partywall.core.db.session import AsyncSession
from partywall.core.jobs.queue import enqueue
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, ProjectNotFoundError, ProjectScope, enter_to_write
from partywall.features.agents.admission_repository import AdmissionRepository, projects_with_waiting_runs
from partywall.features.agents.exceptions import TooManyOpenRunsError
from partywall.features.agents.jobs import RUN_AGENT, RunAgent


@dataclass(frozen=True, slots=True)
class RunPlaces:
    """Runs at work at once in a project and over all projects of an account, and those that may be unfinished."""

    each_project: int
    each_account: int
    open_in_project: int
    open_in_account: int

    @classmethod
    def of(cls, resources: Resources) -> RunPlaces:
        settings = resources.settings.agents
        return cls(
            each_project=settings.concurrency_per_project,
            each_account=settings.places_per_account,
            open_in_project=settings.open_runs_per_project,
            open_in_account=settings.open_runs_per_account,
        )


@dataclass(frozen=True, slots=True)
class Admission:
    session: AsyncSession
    scope: ProjectScope
    places: RunPlaces

    async def lock(self) -> None:
        """Before a run's status is changed, so that nobody waits for another in a ring."""
        await self._repository.lock()

    async def refuse_too_many(self) -> None:
        """Raises TooManyOpenRunsError where one more may not be started; once locked."""
        found = await self._repository.open()
        if found is None:
            raise ProjectNotFoundError
        for scope, used, limit in (
            ("project", found.of_project, self.places.open_in_project),
            ("account", found.of_account, self.places.open_in_account),
        ):
            if used >= limit:
                raise TooManyOpenRunsError(scope, used, limit)

    async def fill(self) -> None:
        """Gives the places that are free to the runs that wait; a job for each, in the same transaction."""
        admitted = await self._repository.admit(
            each_project=self.places.each_project, each_account=self.places.each_account
        )
        for project_id, run_id, principal in admitted:
            payload = RunAgent(project_id=project_id, principal=principal, run_id=run_id)
            await enqueue(self.session, RUN_AGENT, payload)

    @property
    def _repository(self) -> AdmissionRepository:
        return AdmissionRepository(self.session, self.scope)


async def admit_waiting_runs(resources: Resources) -> None:
    """Where a place became free without a run that ended: a project was deleted, or has another owner now."""
    places = RunPlaces.of(resources)
    async with resources.sessions.read() as session:
        waiting = await projects_with_waiting_runs(session)
    for project_id in waiting:
        with suppress(ProjectNotFoundError):
            async with resources.sessions.begin() as session:
                scope = await enter_to_write(session, Principal.service(project_id), project_id)
                await Admission(session, scope, places).fill()

"""Checks before a run is started: cheap ones first, slow ones outside of transactions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError
from pydantic_core import to_json

from partywall.core.db.scopes import open_scope
from partywall.core.field_errors import FieldCode
from partywall.core.language_models import AgentModelNotConfiguredError
from partywall.core.resources import Resources
from partywall.core.rights import require
from partywall.core.tenancy import ProjectScope
from partywall.features.agents.definition import AnyAgent
from partywall.features.agents.exceptions import AgentInputError, AgentNotFoundError
from partywall.features.agents.registry import Registry
from partywall.features.agents.schemas import AgentInput
from partywall.features.runs.admission import OpenRunLimits
from partywall.features.runs.rights import RUN_START
from partywall.features.runs.schemas import RunStart
from partywall.features.runs.service import CheckedRun, refuse_unfit

LARGEST_INPUT: Final = 200_000


@dataclass(frozen=True, slots=True)
class RunChecks:
    """Checks for one caller, in its account's share of the threads."""

    resources: Resources
    registry: Registry

    async def check(self, scope: ProjectScope, wanted: RunStart) -> CheckedRun:
        """Raises AgentNotFoundError, AgentModelNotConfiguredError or AgentInputError.

        For costly inputs, also raises what `refuse_unfit` raises.
        """
        require(scope, RUN_START)
        agent = self._agent(wanted.agent)
        _refuse_large(wanted)
        checked = CheckedRun(wanted, await self._read(agent, wanted))
        if checked.input.is_costly:
            await self._refuse_unfit(scope, checked)
            await self.resources.checks.run(checked.input.check_input)
        return checked

    def _agent(self, name: str) -> AnyAgent:
        agent = self.registry.by_name.get(name)
        if agent is None:
            raise AgentNotFoundError(f"No agent is called {name}.")
        if not self.resources.language_models.has(agent.name):
            raise AgentModelNotConfiguredError(agent.name)
        return agent

    async def _read(self, agent: AnyAgent, wanted: RunStart) -> AgentInput:
        try:
            return await agent.validated(wanted.input, self.resources.checks)
        except ValidationError as error:
            raise AgentInputError.of(error) from error

    async def _refuse_unfit(self, known: ProjectScope, checked: CheckedRun) -> None:
        resources = self.resources
        async with resources.sessions.begin() as session:
            scope = await open_scope(session, known.principal, known.project_id)
            await refuse_unfit(session, scope, OpenRunLimits.of(resources), checked)


def _refuse_large(wanted: RunStart) -> None:
    """Raises AgentInputError. The size is limited because every list of runs shows the input."""
    if len(to_json(wanted.input)) > LARGEST_INPUT:
        raise AgentInputError.at([""], FieldCode.TOO_LARGE, f"At most {LARGEST_INPUT:,} bytes as JSON")

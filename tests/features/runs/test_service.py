from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

import pytest
from pydantic import JsonValue

from partywall.core.errors import MissingRightError
from partywall.core.language_models import AgentModelNotConfiguredError
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, ProjectScope, Role, make_scope
from partywall.extensions.agents import declared_agents
from partywall.extensions.enabled import enabled_features
from partywall.features.agents.exceptions import AgentInputError, AgentNotFoundError
from partywall.features.agents.registry import registry_of
from partywall.features.runs.run_checks import LARGEST_INPUT, RunChecks
from partywall.features.runs.schemas import RunStart
from partywall.features.runs.service import CheckedRun
from tests.features.agents.configured_models import Configured

REGISTRY = registry_of(declared_agents(enabled_features()), ())
QUESTION: dict[str, JsonValue] = {"question": "When?"}


def scope(role: Role = Role.EDITOR) -> ProjectScope:
    return make_scope(UUID(int=1), Principal.user(UUID(int=2)), role)


type Check = Callable[..., Awaitable[CheckedRun]]


@pytest.fixture
def check(resources: Resources) -> Check:
    configured = replace(resources, language_models=Configured(frozenset({"answer"})))

    async def checked(agent: str, given: dict[str, JsonValue], role: Role = Role.EDITOR) -> CheckedRun:
        return await RunChecks(configured, REGISTRY).check(scope(role), RunStart(agent=agent, input=given))

    return checked


async def test_who_may_not_start_a_run_learns_nothing_about_agents(check: Check) -> None:
    with pytest.raises(MissingRightError):
        await check("no_such_agent", {}, Role.VIEWER)


async def test_an_agent_has_a_name_and_a_model(check: Check) -> None:
    with pytest.raises(AgentNotFoundError):
        await check("no_such_agent", QUESTION)
    with pytest.raises(AgentModelNotConfiguredError):
        await check("summarise", {})


async def test_the_input_is_what_the_agent_reads(check: Check) -> None:
    checked = await check("answer", QUESTION)
    assert checked.input.model_dump(exclude_unset=True) == QUESTION
    with pytest.raises(AgentInputError) as refusal:
        await check("answer", {"question": "When?", "colour": "red"})
    errors = refusal.value.extensions["errors"]
    assert isinstance(errors, list)
    assert [each["pointer"] for each in errors if isinstance(each, dict)] == ["/input/colour"]


async def test_a_large_input_is_refused_by_its_bytes_before_it_is_read(check: Check) -> None:
    envelope = len('{"a":""}')
    fits: dict[str, JsonValue] = {"a": "ß" * ((LARGEST_INPUT - envelope) // 2)}
    with pytest.raises(AgentInputError) as of_schema:
        await check("answer", fits)
    assert "bytes" not in str(of_schema.value.extensions)
    with pytest.raises(AgentInputError) as of_size:
        await check("answer", {"a": f"{fits['a']}x"})
    assert "200,000 bytes" in str(of_size.value.extensions)

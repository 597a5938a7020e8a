from __future__ import annotations

from uuid import UUID

from partywall.core.tenancy import Principal, Role, make_scope
from partywall.extensions.agents import declared_agents
from partywall.extensions.enabled import enabled_features
from partywall.features.agents.registry import registry_of
from partywall.features.agents.service import list_agents
from tests.features.agents.configured_models import Configured

REGISTRY = registry_of(declared_agents(enabled_features()), ())


def test_every_agent_is_listed_and_whether_it_can_be_used() -> None:
    listed = list_agents(
        make_scope(UUID(int=1), Principal.user(UUID(int=2)), Role.VIEWER), REGISTRY, Configured(frozenset({"answer"}))
    )
    assert [each.name for each in listed.items if each.available] == ["answer"]
    assert {each.name for each in listed.items} == set(REGISTRY.by_name)

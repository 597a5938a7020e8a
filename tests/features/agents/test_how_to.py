"""Runs the code of the how-to unchanged."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from partywall.features.agents.registry import agents_of
from tests.features.runs.agent_workspace import AgentWorkspace
from tests.features.runs.model_server import calling, final

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "agents.md"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "glossary.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "glossary", raising=False)
    return "glossary"


async def test_the_agent_of_the_how_to_runs(workspace: AgentWorkspace, module: str) -> None:
    agents = workspace.resources.settings.agents.model_copy(update={"modules": (module,)})
    resources = replace(
        workspace.resources, settings=workspace.resources.settings.model_copy(update={"agents": agents})
    )
    assert "glossary" in agents_of(resources).by_name
    workspace.model.says(calling("search", query="lead time"), final(meaning="Days until delivery.", found_in=[]))
    run = await workspace.start()
    await workspace.users.execute(
        "UPDATE run SET agent = 'glossary', input = '{\"term\": \"lead time\"}' WHERE id::text = $1", run
    )
    async with workspace.working(resources):
        found = await workspace.until(run)
    assert found["output"] == {"meaning": "Days until delivery.", "found_in": []}
    assert workspace.model.asked[0].prompt == "What does 'lead time' mean here?"

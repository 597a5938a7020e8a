"""A circuit that opens for one account's requests leaves other accounts unaffected."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from partywall.core.jobs import dead_letter
from partywall.core.outgoing.circuits import FAILURES_UNTIL_OPEN, OPEN_SECONDS
from partywall.features.runs.execution import retry_schedule
from tests.features.runs.agent_workspace import AgentWorkspace, Json, patient_for_models
from tests.features.runs.model_server import Asked, Reply, final

DONE = final(answer="Done.", sources=[])
STOPPED_BY_CIRCUIT = """
    SELECT attempts, extract(epoch FROM retry_at - now()) AS waits FROM run
    WHERE project_id = $1 AND status = 'queued' AND retry_at > now() + interval '2 seconds'
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the pauses after failures shorter than the circuit's."""
    monkeypatch.setattr(dead_letter, "FIRST_DELAY", dead_letter.FIRST_DELAY / 50)
    monkeypatch.setattr(retry_schedule, "LONGEST_PAUSE", dead_letter.FIRST_DELAY)


async def stopped_by_circuit(workspace: AgentWorkspace) -> Json:
    """The first run that the open circuit stopped."""
    async with asyncio.timeout(60):
        while not (found := await workspace.users.fetch(STOPPED_BY_CIRCUIT, workspace.project)):
            await asyncio.sleep(0.02)
    return dict(found[0])


async def test_prompts_that_a_server_fails_at_keep_no_other_account_from_it(workspace: AgentWorkspace) -> None:
    def script(asked: Asked) -> Reply:
        return Reply(status=500) if asked.prompt == "poison" else DONE

    workspace.model.script = script
    other = await workspace.users.person()
    poisoning = replace(workspace, owner=other, project=await other.project())
    for _ in range(4):
        await poisoning.start("poison")
    async with workspace.working(patient_for_models(workspace.resources, concurrency_per_project=4)):
        row = await stopped_by_circuit(poisoning)
        run = await workspace.start("plain")
        found = await workspace.until(run)
        assert (await other.client.delete(poisoning.url)).status_code == 204
    assert row["attempts"] == 0
    assert float(str(row["waits"])) <= OPEN_SECONDS + dead_letter.FIRST_DELAY.total_seconds()
    assert found["status"] == "succeeded"
    assert (await workspace.kinds(run)).count("queued") == 1  # only at its start
    assert [asked.prompt for asked in workspace.model.asked].count("poison") >= FAILURES_UNTIL_OPEN

"""A model's server that fails at one account's requests serves all others, and is asked by that one when it may be."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from partywall.core.jobs import attempts
from partywall.core.outgoing.circuits import FAILURES_UNTIL_OPEN, OPEN_SECONDS
from partywall.features.agents import retrying
from tests.features.agents.bureau import Bureau, Json, patient_for_models
from tests.features.agents.model_server import Asked, Reply, final

DONE = final(answer="Done.", sources=[])
TURNED_AWAY = """
    SELECT attempts, extract(epoch FROM retry_at - now()) AS waits FROM run
    WHERE project_id = $1 AND status = 'queued' AND retry_at > now() + interval '2 seconds'
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses after failures, which are shorter than the circuit's then."""
    monkeypatch.setattr(attempts, "FIRST_DELAY", attempts.FIRST_DELAY / 50)
    monkeypatch.setattr(retrying, "LONGEST_PAUSE", attempts.FIRST_DELAY)


async def turned_away(bureau: Bureau) -> Json:
    """The first run that was not sent to the server."""
    async with asyncio.timeout(60):
        while not (found := await bureau.people.fetch(TURNED_AWAY, bureau.project)):
            await asyncio.sleep(0.02)
    return dict(found[0])


async def test_prompts_that_a_server_fails_at_keep_no_other_account_from_it(bureau: Bureau) -> None:
    def script(asked: Asked) -> Reply:
        return Reply(status=500) if asked.prompt == "poison" else DONE

    bureau.model.script = script
    other = await bureau.people.person()
    poisoning = replace(bureau, owner=other, project=await other.project())
    for _ in range(4):
        await poisoning.start("poison")
    async with bureau.working(patient_for_models(bureau.resources, concurrency_per_project=4)):
        row = await turned_away(poisoning)
        run = await bureau.start("plain")
        found = await bureau.until(run)
        assert (await other.client.delete(poisoning.url)).status_code == 204
    assert row["attempts"] == 0
    assert float(str(row["waits"])) <= OPEN_SECONDS + attempts.FIRST_DELAY.total_seconds()
    assert found["status"] == "succeeded"
    assert (await bureau.kinds(run)).count("queued") == 1  # when it was started
    assert [asked.prompt for asked in bureau.model.asked].count("poison") >= FAILURES_UNTIL_OPEN

"""Whoever writes for a run holds the project first, as everybody does: nobody waits in a ring."""

from __future__ import annotations

import asyncio
from functools import partial

from structlog.testing import capture_logs

from tests.features.agents.bureau import Bureau
from tests.features.agents.model_server import final
from tests.features.projects.test_holding import posting, repeatedly, url, writes_while_ending
from tests.people import People

RUN = {"agent": "assistant", "input": {"question": "When?"}}


async def test_a_member_removed_in_the_middle_of_starting_runs_is_refused_properly(
    people: People, bureau: Bureau
) -> None:
    member = await people.person()
    await people.join(bureau.project, member, "editor")
    statuses = await writes_while_ending(
        partial(member.client.post, f"{bureau.url}/runs", json=RUN),
        bureau.owner.client.delete(url(bureau.project, f"/members/{member.id}")),
    )
    assert set(statuses) <= {202, 404}, statuses
    assert statuses[404] > 0


async def test_a_project_is_deleted_while_its_runs_are_at_work(bureau: Bureau) -> None:
    """Every answer is one that the contract knows, and no job fails for another reason than the end."""
    bureau.model.script = lambda _: final(answer="Done.", sources=[])
    stop = asyncio.Event()
    starting = partial(bureau.owner.client.post, f"{bureau.url}/runs", json=RUN)
    with capture_logs() as logs:
        async with bureau.working(), asyncio.TaskGroup() as group:
            writers = [group.create_task(repeatedly(starting, stop)) for _ in range(2)]
            writers.append(group.create_task(repeatedly(posting(bureau.owner, f"{bureau.url}/documents"), stop)))
            async with asyncio.timeout(60):
                while not bureau.model.asked:
                    await asyncio.sleep(0.02)
            deleted = await bureau.owner.client.delete(bureau.url)
            stop.set()
    assert deleted.status_code == 204, deleted.text
    assert all(set(each.result()) <= {201, 202, 404} for each in writers)
    assert "DBAPIError" not in {entry.get("error") for entry in logs}
    assert "job_failed" not in {entry["event"] for entry in logs}

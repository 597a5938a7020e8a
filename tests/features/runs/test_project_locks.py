"""Every writer for a run locks the project first, so there are no deadlocks."""

from __future__ import annotations

import asyncio
from functools import partial

from structlog.testing import capture_logs

from partywall.testing.conditions import until
from partywall.testing.users import Users
from tests.features.projects.test_project_locks import posting, repeatedly, url, writes_while_ending
from tests.features.runs.agent_workspace import AgentWorkspace
from tests.features.runs.model_server import final

RUN = {"agent": "assistant", "input": {"question": "When?"}}


async def test_a_member_removed_in_the_middle_of_starting_runs_is_refused_properly(
    users: Users, workspace: AgentWorkspace
) -> None:
    member = await users.person()
    await users.join(workspace.project, member, "editor")
    statuses = await writes_while_ending(
        partial(member.client.post, f"{workspace.url}/runs", json=RUN),
        workspace.owner.client.delete(url(workspace.project, f"/members/{member.id}")),
    )
    assert set(statuses) <= {202, 404}, statuses
    assert statuses[404] > 0


async def test_a_project_is_deleted_while_its_runs_are_at_work(workspace: AgentWorkspace) -> None:
    """Every answer is in the contract, and jobs fail only because of the deletion."""
    workspace.model.script = lambda _: final(answer="Done.", sources=[])
    stop = asyncio.Event()
    starting = partial(workspace.owner.client.post, f"{workspace.url}/runs", json=RUN)
    with capture_logs() as logs:
        async with workspace.working(), asyncio.TaskGroup() as group:
            writers = [group.create_task(repeatedly(starting, stop)) for _ in range(2)]
            writers.append(group.create_task(repeatedly(posting(workspace.owner, f"{workspace.url}/documents"), stop)))
            await until(lambda: bool(workspace.model.asked))
            deleted = await workspace.owner.client.delete(workspace.url)
            stop.set()
    assert deleted.status_code == 204, deleted.text
    assert all(set(each.result()) <= {201, 202, 404} for each in writers)
    assert "DBAPIError" not in {entry.get("error") for entry in logs}
    assert "job_failed" not in {entry["event"] for entry in logs}

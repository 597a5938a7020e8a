"""Accounts share the run slots, however many projects they have; unfinished runs have a limit."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from partywall.core.jobs.fair_scheduler import ChosenLine
from partywall.core.jobs.kinds import Limits
from partywall.core.jobs.store import JobStore
from partywall.features.runs import service
from partywall.features.runs.admission import OpenRunLimits
from partywall.features.runs.jobs import RUN_AGENT, RunAgent
from partywall.features.runs.run_checks import LARGEST_INPUT
from partywall.settings import AgentSettings
from partywall.testing.users import Person
from tests.features.runs.agent_workspace import AgentWorkspace
from tests.features.runs.model_server import Asked, Reply, final
from tests.features.runs.test_approval import decide, waiting_run

RUN = {"agent": "assistant", "input": {"question": "When?"}}


async def start(person: Person, project: UUID, question: str = "When?") -> str:
    body = {"agent": "assistant", "input": {"question": question}}
    answer = await person.client.post(f"/api/v1/projects/{project}/runs", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def at_work(workspace: AgentWorkspace, *projects: UUID) -> int:
    """The number of runs of these projects in progress."""
    sql = "SELECT FROM job WHERE kind = 'run_agent' AND state = 'running' AND project_id = ANY ($1)"
    return len(await workspace.users.fetch(sql, projects))


async def several_projects(workspace: AgentWorkspace, count: int, runs: int) -> list[UUID]:
    projects = [await workspace.owner.project() for _ in range(count)]
    for project in projects:
        for _ in range(runs):
            await start(workspace.owner, project)
    return projects


async def test_an_account_has_a_third_of_the_slots_over_all_projects_and_workers(
    workspace: AgentWorkspace,
) -> None:
    """Another account's run starts at once, although it was queued last."""
    projects = await several_projects(workspace, 6, 6)
    outsider = await workspace.users.person()
    theirs = await outsider.project()
    run = await start(outsider, theirs, "the outsider's")
    hold = asyncio.Event()

    async def script(asked: Asked) -> Reply:
        if "outsider" not in asked.prompt:
            await hold.wait()
        return final(answer="Done.", sources=[])

    workspace.model.script = script
    places, most, ended = workspace.resources.settings.agents.slots_per_account, 0, False
    async with workspace.working(), workspace.working(), asyncio.timeout(180):
        while not ended or most < places:
            await asyncio.sleep(0.02)
            most = max(most, await at_work(workspace, *projects))
            ended = bool(
                await workspace.users.fetch("SELECT FROM run WHERE id::text = $1 AND status = 'succeeded'", run)
            )
        await workspace.users.execute("DELETE FROM job WHERE state = 'waiting' AND project_id = ANY ($1)", projects)
        hold.set()
    assert most == places


async def test_the_projects_of_an_account_take_turns(workspace: AgentWorkspace) -> None:
    first, second = await workspace.owner.project(), await workspace.owner.project()
    runs = [await start(workspace.owner, first) for _ in range(8)]
    await start(workspace.owner, second)
    workspace.model.script = lambda _: final(answer="Done.", sources=[])
    async with workspace.working():
        await workspace.until_of(first, runs[-1])
    finished = await workspace.users.fetch(
        "SELECT project_id FROM run WHERE project_id = ANY ($1) ORDER BY started_at", [first, second]
    )
    places = workspace.resources.settings.agents.slots_per_account
    assert [row["project_id"] for row in finished].index(second) <= places


async def test_runs_that_are_cancelled_again_and_again_leave_no_jobs_behind(workspace: AgentWorkspace) -> None:
    for _ in range(12):
        run = await workspace.start()
        answer = await workspace.owner.client.post(f"{workspace.url}/runs/{run}/cancel")
        assert answer.json()["status"] == "cancelled"
    assert await workspace.users.fetch("SELECT FROM job WHERE project_id = $1", workspace.project) == []


async def test_a_run_cancelled_while_a_worker_claims_it_does_not_start(workspace: AgentWorkspace) -> None:
    run = await workspace.start()
    await workspace.users.execute(
        "UPDATE job SET state = 'running', heartbeat_at = 'epoch', lease = $1 WHERE project_id = $2",
        uuid4(), workspace.project,
    )  # fmt: skip
    assert (await workspace.owner.client.post(f"{workspace.url}/runs/{run}/cancel")).json()["status"] == "cancelled"
    async with workspace.working(), asyncio.timeout(60):
        while await workspace.users.fetch("SELECT FROM job WHERE project_id = $1", workspace.project):
            await asyncio.sleep(0.02)
    assert (workspace.model.asked, await workspace.kinds(run)) == ([], ["queued", "cancelled"])


async def test_a_run_that_goes_on_comes_before_those_that_have_not_begun(workspace: AgentWorkspace) -> None:
    run = await waiting_run(workspace, await workspace.document())
    await start(workspace.owner, workspace.project)
    await decide(workspace, run, approve=True)
    [job] = await JobStore(workspace.resources.reads).take([ChosenLine(RUN_AGENT.name, workspace.project, 1)])
    assert RunAgent.model_validate_json(job.payload).run_id == UUID(run)


async def test_a_run_counts_for_the_account_of_its_project(workspace: AgentWorkspace) -> None:
    """Not for the user who starts it, nor for another owner of the project."""
    member = await workspace.users.person()
    await workspace.users.join(workspace.project, member, "owner")
    for _ in range(3):
        await start(member, workspace.project)
    own = await member.project()
    await start(member, own)
    store = JobStore(workspace.resources.reads, {RUN_AGENT.name: Limits(each_project=2, each_account=2)})
    assert len(await store.take([ChosenLine(RUN_AGENT.name, workspace.project, 3)])) == 2
    [other] = await store.take([ChosenLine(RUN_AGENT.name, own, 3)])
    assert other.account == member.id


async def test_an_unaccepted_transfer_takes_no_slots_of_the_new_owner(workspace: AgentWorkspace) -> None:
    """The former owner stays an admin and starts more runs by API key than an account has slots."""
    heir = await workspace.users.person()
    await workspace.users.join(workspace.project, heir, "viewer")
    given = await workspace.owner.client.post(f"{workspace.url}/transfer", json={"user_id": str(heir.id)})
    assert given.status_code == 200
    made = await workspace.owner.client.post(f"{workspace.url}/api-keys", json={"name": "k", "role": "admin"})
    key = {"Authorization": f"Bearer {made.json()['secret']}"}
    for _ in range(3):
        answer = await workspace.owner.client.post(f"{workspace.url}/runs", json=RUN, headers=key)
        assert answer.status_code == 202
    own, giver = await heir.project(), await workspace.owner.project()
    await start(heir, own)
    await start(workspace.owner, giver)
    store = JobStore(workspace.resources.reads, {RUN_AGENT.name: Limits(each_project=2, each_account=2)})
    taken = await store.take([ChosenLine(RUN_AGENT.name, workspace.project, 3)])
    assert [job.account for job in taken] == [workspace.owner.id] * 2
    assert await store.take([ChosenLine(RUN_AGENT.name, giver, 1)]) == []
    assert [job.account for job in await store.take([ChosenLine(RUN_AGENT.name, own, 1)])] == [heir.id]
    usage = (await heir.client.get("/api/v1/users/me/usage")).json()
    assert usage["projects"]["used"] == 1


@pytest.mark.parametrize(("scope", "limits"), [("project", {"in_project": 2}), ("account", {"in_account": 3})])
async def test_unfinished_runs_have_a_limit(
    workspace: AgentWorkspace, monkeypatch: pytest.MonkeyPatch, scope: str, limits: dict[str, int]
) -> None:
    changed = replace(OpenRunLimits.of(workspace.resources), **limits)
    monkeypatch.setattr(OpenRunLimits, "of", lambda _: changed)
    other = await workspace.owner.project()
    started = [await start(workspace.owner, workspace.project), await start(workspace.owner, workspace.project)]
    refused_in = workspace.project
    if scope == "account":
        await start(workspace.owner, other)
        refused_in = other
    answer = await workspace.owner.client.post(f"/api/v1/projects/{refused_in}/runs", json=RUN)
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_open_runs")
    limit = next(iter(limits.values()))
    assert (answer.json()["scope"], answer.json()["used"], answer.json()["limit"]) == (scope, limit, limit)
    assert int(answer.headers["retry-after"]) > 0
    await workspace.owner.client.post(f"{workspace.url}/runs/{started[0]}/cancel")
    await start(workspace.owner, workspace.project)


async def test_an_input_has_a_largest_size(workspace: AgentWorkspace) -> None:
    answer = await workspace.post("x" * (LARGEST_INPUT + 1))
    assert answer.status_code == 422
    said = {"pointer": "/input", "code": "too_large", "message": "At most 200,000 bytes as JSON"}
    assert answer.json()["errors"] == [said]


async def test_a_conversation_does_not_grow_for_ever(
    workspace: AgentWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.model.says(final(answer="x" * 2000, sources=[]))
    first = await workspace.run()
    monkeypatch.setattr(service, "LONGEST_CONVERSATION", 2000)
    answer = await workspace.post(continues=first["id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "run_not_continuable")


def test_an_account_has_a_third_of_the_slots_by_default() -> None:
    assert AgentSettings().slots_per_account * 3 <= AgentSettings().concurrency
    assert AgentSettings(concurrency=2).slots_per_account == 1
    assert AgentSettings(concurrency_per_account=7).slots_per_account == 7

"""Places of runs are shared between accounts, however many projects one has, and what is not over has a limit."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from partywall.core.jobs.kinds import Limits
from partywall.core.jobs.store import JobStore
from partywall.core.jobs.turns import Chosen
from partywall.features.agents import service
from partywall.features.agents.admission import OpenRunLimits
from partywall.features.agents.jobs import RUN_AGENT, RunAgent
from partywall.features.agents.run_checks import LARGEST_INPUT
from partywall.settings import AgentSettings
from tests.features.agents.bureau import Bureau
from tests.features.agents.model_server import Asked, Reply, final
from tests.features.agents.test_approval import decide, waiting_run
from tests.people import Person

RUN = {"agent": "assistant", "input": {"question": "When?"}}


async def start(person: Person, project: UUID, question: str = "When?") -> str:
    body = {"agent": "assistant", "input": {"question": question}}
    answer = await person.client.post(f"/api/v1/projects/{project}/runs", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def at_work(bureau: Bureau, *projects: UUID) -> int:
    """How many runs of these projects a worker has in hand."""
    sql = "SELECT FROM job WHERE kind = 'run_agent' AND state = 'running' AND project_id = ANY ($1)"
    return len(await bureau.people.fetch(sql, projects))


async def several_projects(bureau: Bureau, count: int, runs: int) -> list[UUID]:
    projects = [await bureau.owner.project() for _ in range(count)]
    for project in projects:
        for _ in range(runs):
            await start(bureau.owner, project)
    return projects


async def test_an_account_has_a_third_of_the_places_over_all_its_projects_and_workers(bureau: Bureau) -> None:
    """And another's run begins at once, though it came last."""
    projects = await several_projects(bureau, 6, 6)
    stranger = await bureau.people.person()
    theirs = await stranger.project()
    run = await start(stranger, theirs, "the stranger's")
    hold = asyncio.Event()

    async def script(asked: Asked) -> Reply:
        if "stranger" not in asked.prompt:
            await hold.wait()
        return final(answer="Done.", sources=[])

    bureau.model.script = script
    places, most, ended = bureau.resources.settings.agents.places_per_account, 0, False
    async with bureau.working(), bureau.working(), asyncio.timeout(180):
        while not ended or most < places:
            await asyncio.sleep(0.02)
            most = max(most, await at_work(bureau, *projects))
            ended = bool(await bureau.people.fetch("SELECT FROM run WHERE id::text = $1 AND status = 'succeeded'", run))
        await bureau.people.execute("DELETE FROM job WHERE state = 'waiting' AND project_id = ANY ($1)", projects)
        hold.set()
    assert most == places


async def test_the_projects_of_an_account_take_turns(bureau: Bureau) -> None:
    first, second = await bureau.owner.project(), await bureau.owner.project()
    runs = [await start(bureau.owner, first) for _ in range(8)]
    await start(bureau.owner, second)
    bureau.model.script = lambda _: final(answer="Done.", sources=[])
    async with bureau.working():
        await bureau.until_of(first, runs[-1])
    finished = await bureau.people.fetch(
        "SELECT project_id FROM run WHERE project_id = ANY ($1) ORDER BY started_at", [first, second]
    )
    places = bureau.resources.settings.agents.places_per_account
    assert [row["project_id"] for row in finished].index(second) <= places


async def test_runs_that_are_cancelled_again_and_again_leave_no_jobs_behind(bureau: Bureau) -> None:
    for _ in range(12):
        run = await bureau.start()
        answer = await bureau.owner.client.post(f"{bureau.url}/runs/{run}/cancel")
        assert answer.json()["status"] == "cancelled"
    assert await bureau.people.fetch("SELECT FROM job WHERE project_id = $1", bureau.project) == []


async def test_a_run_that_is_cancelled_as_a_worker_takes_it_is_not_begun(bureau: Bureau) -> None:
    run = await bureau.start()
    await bureau.people.execute(
        "UPDATE job SET state = 'running', heartbeat_at = 'epoch', lease = $1 WHERE project_id = $2",
        uuid4(), bureau.project,
    )  # fmt: skip
    assert (await bureau.owner.client.post(f"{bureau.url}/runs/{run}/cancel")).json()["status"] == "cancelled"
    async with bureau.working(), asyncio.timeout(60):
        while await bureau.people.fetch("SELECT FROM job WHERE project_id = $1", bureau.project):
            await asyncio.sleep(0.02)
    assert (bureau.model.asked, await bureau.kinds(run)) == ([], ["queued", "cancelled"])


async def test_a_run_that_goes_on_comes_before_those_that_have_not_begun(bureau: Bureau) -> None:
    run = await waiting_run(bureau, await bureau.document())
    await start(bureau.owner, bureau.project)
    await decide(bureau, run, approve=True)
    [job] = await JobStore(bureau.resources.reads).take([Chosen(RUN_AGENT.name, bureau.project, 1)])
    assert RunAgent.model_validate_json(job.payload).run_id == UUID(run)


async def test_a_run_counts_for_the_account_of_its_project(bureau: Bureau) -> None:
    """Not for who starts it, nor for another owner of it."""
    member = await bureau.people.person()
    await bureau.people.join(bureau.project, member, "owner")
    for _ in range(3):
        await start(member, bureau.project)
    own = await member.project()
    await start(member, own)
    store = JobStore(bureau.resources.reads, {RUN_AGENT.name: Limits(each_project=2, each_account=2)})
    assert len(await store.take([Chosen(RUN_AGENT.name, bureau.project, 3)])) == 2
    [other] = await store.take([Chosen(RUN_AGENT.name, own, 3)])
    assert other.account == member.id


async def test_a_gift_takes_no_places_of_who_has_not_accepted_it(bureau: Bureau) -> None:
    """Its former owner stays an admin, and has a key that starts more runs than an account has places."""
    heir = await bureau.people.person()
    await bureau.people.join(bureau.project, heir, "viewer")
    given = await bureau.owner.client.post(f"{bureau.url}/transfer", json={"user_id": str(heir.id)})
    assert given.status_code == 200
    made = await bureau.owner.client.post(f"{bureau.url}/api-keys", json={"name": "k", "role": "admin"})
    key = {"Authorization": f"Bearer {made.json()['secret']}"}
    for _ in range(3):
        answer = await bureau.owner.client.post(f"{bureau.url}/runs", json=RUN, headers=key)
        assert answer.status_code == 202
    own, giver = await heir.project(), await bureau.owner.project()
    await start(heir, own)
    await start(bureau.owner, giver)
    store = JobStore(bureau.resources.reads, {RUN_AGENT.name: Limits(each_project=2, each_account=2)})
    taken = await store.take([Chosen(RUN_AGENT.name, bureau.project, 3)])
    assert [job.account for job in taken] == [bureau.owner.id] * 2
    assert await store.take([Chosen(RUN_AGENT.name, giver, 1)]) == []
    assert [job.account for job in await store.take([Chosen(RUN_AGENT.name, own, 1)])] == [heir.id]
    usage = (await heir.client.get("/api/v1/users/me/usage")).json()
    assert usage["projects"]["used"] == 1


@pytest.mark.parametrize(("scope", "limits"), [("project", {"in_project": 2}), ("account", {"in_account": 3})])
async def test_what_is_not_over_has_a_limit(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch, scope: str, limits: dict[str, int]
) -> None:
    changed = replace(OpenRunLimits.of(bureau.resources), **limits)
    monkeypatch.setattr(OpenRunLimits, "of", lambda _: changed)
    other = await bureau.owner.project()
    started = [await start(bureau.owner, bureau.project), await start(bureau.owner, bureau.project)]
    refused_in = bureau.project
    if scope == "account":
        await start(bureau.owner, other)
        refused_in = other
    answer = await bureau.owner.client.post(f"/api/v1/projects/{refused_in}/runs", json=RUN)
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_open_runs")
    limit = next(iter(limits.values()))
    assert (answer.json()["scope"], answer.json()["used"], answer.json()["limit"]) == (scope, limit, limit)
    assert int(answer.headers["retry-after"]) > 0
    await bureau.owner.client.post(f"{bureau.url}/runs/{started[0]}/cancel")
    await start(bureau.owner, bureau.project)


async def test_an_input_has_a_largest_size(bureau: Bureau) -> None:
    answer = await bureau.post("x" * (LARGEST_INPUT + 1))
    assert answer.status_code == 422
    said = {"pointer": "/input", "code": "too_large", "message": "At most 200,000 bytes as JSON"}
    assert answer.json()["errors"] == [said]


async def test_a_conversation_does_not_grow_for_ever(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    bureau.model.says(final(answer="x" * 2000, sources=[]))
    first = await bureau.run()
    monkeypatch.setattr(service, "LONGEST_CONVERSATION", 2000)
    answer = await bureau.post(continues=first["id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "run_not_continuable")


def test_an_account_has_a_third_unless_it_is_said() -> None:
    assert AgentSettings().places_per_account * 3 <= AgentSettings().concurrency
    assert AgentSettings(concurrency=2).places_per_account == 1
    assert AgentSettings(concurrency_per_account=7).places_per_account == 7

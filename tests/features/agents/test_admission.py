"""Places of runs are shared between accounts, however many projects one has, and what is not over has a limit."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from partywall.features.agents import service
from partywall.features.agents.admission import RunPlaces, admit_waiting_runs
from partywall.features.agents.run_checks import LARGEST_INPUT
from partywall.settings import AgentSettings
from tests.features.agents.bureau import Bureau
from tests.features.agents.model_server import Asked, Reply, final
from tests.people import Person

RUN = {"agent": "assistant", "input": {"question": "When?"}}


async def start(person: Person, project: UUID, question: str = "When?") -> str:
    body = {"agent": "assistant", "input": {"question": question}}
    answer = await person.client.post(f"/api/v1/projects/{project}/runs", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def jobs(bureau: Bureau, *projects: UUID) -> int:
    """How many runs of these projects stand on the queue that all share."""
    rows = await bureau.people.fetch(
        "SELECT 1 FROM job WHERE kind = 'run_agent'"
        " AND project_id = ANY ($1)", projects,
    )  # fmt: skip
    return len(rows)


async def several_projects(bureau: Bureau, count: int, runs: int) -> list[UUID]:
    projects = [await bureau.owner.project() for _ in range(count)]
    for project in projects:
        for _ in range(runs):
            await start(bureau.owner, project)
    return projects


async def test_an_account_has_a_third_of_the_places_over_all_its_projects(bureau: Bureau) -> None:
    projects = await several_projects(bureau, 6, 6)
    assert await jobs(bureau, *projects) == bureau.resources.settings.agents.concurrency // 3
    stranger = await bureau.people.person()
    theirs = await stranger.project()
    run = await start(stranger, theirs, "the stranger's")
    assert await jobs(bureau, theirs) == 1

    hold = asyncio.Event()

    async def script(asked: Asked) -> Reply:
        if "stranger" not in asked.prompt:
            await hold.wait()
        return final(answer="Done.", sources=[])

    bureau.model.script = script
    async with bureau.working(), asyncio.timeout(60):
        while (await stranger.client.get(f"/api/v1/projects/{theirs}/runs/{run}")).json()["status"] != "succeeded":
            await asyncio.sleep(0.05)
        hold.set()


async def test_the_projects_of_an_account_take_turns(bureau: Bureau) -> None:
    first, second = await bureau.owner.project(), await bureau.owner.project()
    runs = [await start(bureau.owner, first) for _ in range(8)]
    await start(bureau.owner, second)
    assert await jobs(bureau, second) == 0
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
    last = await bureau.start()
    places = bureau.resources.settings.agents.places_per_account
    assert await jobs(bureau, bureau.project) <= places
    bureau.model.says(final(answer="Done.", sources=[]))
    async with bureau.working():
        assert (await bureau.until(last))["status"] == "succeeded"
    held = await bureau.people.fetch("SELECT 1 FROM run WHERE project_id = $1 AND admitted", bureau.project)
    assert held == []


async def test_the_place_of_a_deleted_project_goes_to_another(bureau: Bureau) -> None:
    places = bureau.resources.settings.agents.places_per_account
    for _ in range(places):
        await bureau.start()
    other = await bureau.owner.project()
    await start(bureau.owner, other)
    assert await jobs(bureau, other) == 0
    await bureau.people.execute("DELETE FROM project WHERE id = $1", bureau.project)
    await admit_waiting_runs(bureau.resources)
    assert await jobs(bureau, other) == 1


async def test_a_run_counts_for_the_account_of_its_project(bureau: Bureau) -> None:
    """Not for who starts it, nor for another owner of it."""
    member = await bureau.people.person()
    await bureau.people.join(bureau.project, member, "owner")
    for _ in range(8):
        await start(member, bureau.project)
    own = await member.project()
    await start(member, own)
    assert await jobs(bureau, own) == 1


async def test_a_gift_takes_no_places_of_who_has_not_accepted_it(bureau: Bureau) -> None:
    """Its former owner stays an admin, and has a key that starts more runs than an account has places."""
    heir = await bureau.people.person()
    await bureau.people.join(bureau.project, heir, "viewer")
    given = await bureau.owner.client.post(f"{bureau.url}/transfer", json={"user_id": str(heir.id)})
    assert given.status_code == 200
    made = await bureau.owner.client.post(f"{bureau.url}/api-keys", json={"name": "k", "role": "admin"})
    key = {"Authorization": f"Bearer {made.json()['secret']}"}
    for _ in range(bureau.resources.settings.agents.places_per_account + 2):
        answer = await bureau.owner.client.post(f"{bureau.url}/runs", json=RUN, headers=key)
        assert answer.status_code == 202
    own = await heir.project()
    await start(heir, own)
    assert await jobs(bureau, own) == 1
    usage = (await heir.client.get("/api/v1/users/me/usage")).json()
    assert usage["projects"]["used"] == 1
    giver = await bureau.owner.project()
    await start(bureau.owner, giver)
    assert await jobs(bureau, giver) == 0


@pytest.mark.parametrize(
    ("scope", "limits"), [("project", {"open_in_project": 2}), ("account", {"open_in_account": 3})]
)
async def test_what_is_not_over_has_a_limit(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch, scope: str, limits: dict[str, int]
) -> None:
    places = replace(RunPlaces.of(bureau.resources), **limits)
    monkeypatch.setattr(RunPlaces, "of", lambda _: places)
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

"""An interrupted model call counts its usage exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

import pytest

from partywall.core.db.scoped_query import ScopedQuery, Value
from partywall.core.errors import MissingRightError, UnavailableError
from partywall.core.jobs import dead_letter
from partywall.core.jobs.context import JobContext
from partywall.core.jobs.payloads import ProjectJobPayload
from partywall.core.tenancy import ProjectScope, Role
from partywall.testing.users import Person
from tests.features.runs.agent_workspace import AgentWorkspace, Json, code_of, used_by
from tests.features.runs.assistant import agent
from tests.features.runs.model_server import Reply, calling, final

WORDS = "word " * 400
ESTIMATED = len(WORDS) // 4

type Values = Mapping[str, Value]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letter, "FIRST_DELAY", dead_letter.FIRST_DELAY / 20)


def endless() -> Reply:
    return Reply(text=WORDS, wait=asyncio.Event())


async def used(workspace: AgentWorkspace) -> Json:
    """The project's usage this month."""
    found: Json = (await workspace.owner.client.get(f"{workspace.url}/budget")).json()["used"]
    return found


async def told(workspace: AgentWorkspace, run: str) -> str:
    return "".join(str(data["text"]) for kind, data in await workspace.events(run) if kind == "token")


async def until_notified(workspace: AgentWorkspace, run: str) -> None:
    """Waits for all text that the model sends before it hangs."""
    async with asyncio.timeout(60):
        while len(await told(workspace, run)) < len(WORDS):
            await asyncio.sleep(0.02)


async def cancel(workspace: AgentWorkspace, run: str) -> None:
    assert (await workspace.owner.client.post(f"{workspace.url}/runs/{run}/cancel")).status_code == 200


async def assert_counted(workspace: AgentWorkspace, run: Json) -> None:
    """The tokens count for the run and the month, with an event before the run's end."""
    usage = used_by(run)
    assert (usage["model_calls"], usage["output_tokens"]) == (1, ESTIMATED)
    assert isinstance(usage["input_tokens"], int)
    assert usage["input_tokens"] > 0
    by_project = await used(workspace)
    assert by_project["tokens"] == usage["input_tokens"] + ESTIMATED
    assert float(str(by_project["seconds"])) > 0
    kind, last = (await workspace.events(str(run["id"])))[-2]
    assert (kind, last) == ("usage", {name: used for name, used in usage.items() if name != "seconds"})


async def test_cancelling_in_the_middle_passes_no_budget(workspace: AgentWorkspace) -> None:
    answer = await workspace.owner.client.put(f"{workspace.url}/budget", json={"tokens": 100})
    assert answer.status_code == 200
    workspace.model.says(endless())
    async with workspace.working():
        run = await workspace.start()
        await until_notified(workspace, run)
        await cancel(workspace, run)
        found = await workspace.until(run)
        assert found["status"] == "cancelled"
        await assert_counted(workspace, found)
        again = await workspace.until(await workspace.start())
    assert code_of(again) == "project_budget_exceeded"
    assert len(workspace.model.asked) == 1


async def test_a_call_interrupted_before_its_answer_counts_its_input(workspace: AgentWorkspace) -> None:
    workspace.model.says(Reply(wait=asyncio.Event()))
    async with workspace.working():
        run = await workspace.start("When? " * 100)
        async with asyncio.timeout(60):
            while not workspace.model.asked:
                await asyncio.sleep(0.02)
        await cancel(workspace, run)
        usage = used_by(await workspace.until(run))
    assert usage["model_calls"] == 1
    assert usage["output_tokens"] == 0
    assert isinstance(usage["input_tokens"], int)
    assert usage["input_tokens"] >= 150


async def test_the_end_of_its_time_counts_what_was_said(
    workspace: AgentWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = agent.limits.time.total_seconds() / 2 + 1
    ends = _timeouts_of(agent.limits.time.total_seconds() - spent, monkeypatch)
    workspace.model.says(endless())
    run = await workspace.start()
    await workspace.users.execute("UPDATE run SET seconds = $2 WHERE id::text = $1", run, spent)
    async with workspace.working():
        await until_notified(workspace, run)
        [end] = ends
        end.reschedule(asyncio.get_running_loop().time())
        found = await workspace.until(run)
    assert code_of(found) == "run_limit_reached"
    await assert_counted(workspace, found)
    assert float(str(used_by(found)["seconds"])) > spent


def _timeouts_of(seconds: float, monkeypatch: pytest.MonkeyPatch) -> list[asyncio.Timeout]:
    """Collects the timeouts of this length, so that a test can let them expire when it is ready."""
    found: list[asyncio.Timeout] = []
    timeout = asyncio.timeout

    def kept(delay: float | None) -> asyncio.Timeout:
        made = timeout(delay)
        if delay == seconds:
            found.append(made)
        return made

    monkeypatch.setattr(asyncio, "timeout", kept)
    return found


@pytest.mark.parametrize(
    "change", ["DELETE FROM project_member", "UPDATE project_member SET role = 'viewer'"], ids=["removed", "lowered"]
)
async def test_who_loses_the_right_has_used_what_was_said(workspace: AgentWorkspace, change: str) -> None:
    person: Person = await workspace.users.person()
    await workspace.users.join(workspace.project, person, "editor")
    workspace.model.says(endless())
    async with workspace.working():
        body = {"agent": "assistant", "input": {"question": "?"}}
        run = str((await person.client.post(f"{workspace.url}/runs", json=body)).json()["id"])
        await until_notified(workspace, run)
        await workspace.users.execute(f"{change} WHERE account_id = $1", person.id)
        found = await workspace.until(run)
    assert code_of(found) == "right_lost"
    await assert_counted(workspace, found)


async def test_each_attempt_of_a_broken_answer_counts(workspace: AgentWorkspace) -> None:
    broken = Reply(text=WORDS, cut=True)
    workspace.model.says(broken, broken, final(answer="Done.", sources=[]))
    run = await workspace.run()
    usage = used_by(run)
    assert (run["status"], usage["model_calls"], usage["output_tokens"]) == ("succeeded", 3, 2 * ESTIMATED + 11)
    assert isinstance(usage["input_tokens"], int)
    assert (await used(workspace))["tokens"] == usage["input_tokens"] + 2 * ESTIMATED + 11
    counted = [data["output_tokens"] for kind, data in await workspace.events(str(run["id"])) if kind == "usage"]
    assert counted == [ESTIMATED, 2 * ESTIMATED, 2 * ESTIMATED + 11]


async def test_a_worker_that_stops_hands_over_what_was_used(workspace: AgentWorkspace) -> None:
    workspace.model.says(endless())
    async with workspace.working():
        run = await workspace.start()
        await until_notified(workspace, run)
    found = await workspace.get(run)
    assert found["status"] == "queued"
    await assert_counted(workspace, found)
    [row] = await workspace.users.fetch("SELECT attempts FROM run WHERE id::text = $1", run)
    assert row["attempts"] == 1
    workspace.model.says(final(answer="Done.", sources=[]))
    async with workspace.working():
        assert used_by(await workspace.until(run))["model_calls"] == 2


async def test_a_tool_that_is_cut_off_was_called(workspace: AgentWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSISTANT_PAUSE", "60")
    workspace.model.says(calling("append", document_id=await workspace.document(), text="once"))
    async with workspace.working():
        run = await workspace.start()
        async with asyncio.timeout(60):
            while "tool_called" not in await workspace.kinds(run):
                await asyncio.sleep(0.02)
        await cancel(workspace, run)
        usage = used_by(await workspace.until(run))
    assert (usage["model_calls"], usage["tool_calls"]) == (1, 1)
    assert (await used(workspace))["tool_calls"] == 1


@pytest.mark.parametrize("status", [503, 400])
async def test_a_failed_call_uses_nothing_but_time(workspace: AgentWorkspace, status: int) -> None:
    workspace.model.says(Reply(status=status))
    run = await workspace.run(impatient=True)
    usage = used_by(run)
    assert float(str(usage.pop("seconds"))) > 0
    nothing = {"amount": "0.00", "currency": "USD"}
    assert usage == {"model_calls": 0, "tool_calls": 0, "input_tokens": 0, "output_tokens": 0, "cost": nothing}
    assert "usage" not in await workspace.kinds(str(run["id"]))


async def test_a_step_whose_commit_was_not_confirmed_is_counted_once(
    workspace: AgentWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks after the commit and before its answer."""
    run_query, broken = JobContext.run, asyncio.Event()

    async def breaks_once(
        self: JobContext, payload: ProjectJobPayload, query: ScopedQuery, roles: Sequence[Role], values: Values
    ) -> ProjectScope:
        scope = await run_query(self, payload, query, roles, values)
        if "finish_step" in query.sql and not broken.is_set():
            broken.set()
            raise UnavailableError
        return scope

    monkeypatch.setattr(JobContext, "run", breaks_once)
    workspace.model.says(final(answer="Done.", sources=[]))
    run = await workspace.run()
    assert (run["status"], len(workspace.model.asked)) == ("succeeded", 1)
    assert used_by(run)["model_calls"] == 1
    assert (await workspace.kinds(str(run["id"]))).count("usage") == 1


async def test_an_answer_that_could_not_be_written_down_is_counted(
    workspace: AgentWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The starter of the run leaves as the model finishes, before the worker checks."""
    run_query = JobContext.run

    async def refuses(
        self: JobContext, payload: ProjectJobPayload, query: ScopedQuery, roles: Sequence[Role], values: Values
    ) -> ProjectScope:
        if "finish_step" in query.sql:
            raise MissingRightError("")
        return await run_query(self, payload, query, roles, values)

    monkeypatch.setattr(JobContext, "run", refuses)
    workspace.model.says(final(answer="Done.", sources=[]))
    run = await workspace.run()
    assert code_of(run) == "right_lost"
    assert (used_by(run)["model_calls"], used_by(run)["output_tokens"]) == (1, 11)


async def test_an_answer_stored_during_a_cancellation_is_counted_once(
    workspace: AgentWorkspace,
) -> None:
    """The end of the step and the end of the run both wait for the locked row of the month."""
    workspace.model.says(final(answer="Done.", sources=[]))
    first = used_by(await workspace.run())
    run = await workspace.start()
    async with AsyncExitStack() as holding:
        other = await holding.enter_async_context(workspace.users.transaction())
        await other.execute("SELECT FROM agent_usage WHERE project_id = $1 FOR UPDATE", workspace.project)
        async with workspace.working():
            await until_waiting(workspace, "finish_step")
            await cancel(workspace, run)
            await until_waiting(workspace, "count_usage")
            await holding.aclose()
            found = await workspace.until(run)
    assert found["status"] == "cancelled"
    second = used_by(found)
    assert (second["model_calls"], second["output_tokens"]) == (1, first["output_tokens"])
    assert (await used(workspace))["tokens"] == sum(
        int(str(each[kind])) for each in (first, second) for kind in ("input_tokens", "output_tokens")
    )


async def until_waiting(workspace: AgentWorkspace, function: str) -> None:
    """Waits until a call of this function waits for a lock."""
    sql = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        " AND query LIKE '%wall.' || $1 || '(%'"
    )
    async with asyncio.timeout(60):
        while not await workspace.users.fetch(sql, function):
            await asyncio.sleep(0.02)

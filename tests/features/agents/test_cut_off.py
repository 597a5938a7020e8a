"""What was delivered is paid for: a call that is cut off counts what it has used, once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from partywall.core.db.scoped_read import Value
from partywall.core.errors import MissingRightError, UnavailableError
from partywall.core.jobs import attempts
from partywall.core.jobs.context import JobContext
from partywall.core.jobs.kinds import ProjectJobPayload
from partywall.core.tenancy import ProjectScope, Role
from tests.features.agents.assistant import agent
from tests.features.agents.bureau import Bureau, Json, code_of, used_by
from tests.features.agents.model_server import Reply, calling, final
from tests.people import Person

WORDS = "word " * 400
ESTIMATED = len(WORDS) // 4


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_DELAY", attempts.FIRST_DELAY / 20)


def endless() -> Reply:
    return Reply(text=WORDS, wait=asyncio.Event())


async def used(bureau: Bureau) -> Json:
    """By the project, in this month."""
    found: Json = (await bureau.owner.client.get(f"{bureau.url}/budget")).json()["used"]
    return found


async def told(bureau: Bureau, run: str) -> str:
    return "".join(str(data["text"]) for kind, data in await bureau.events(run) if kind == "token")


async def until_told(bureau: Bureau, run: str) -> None:
    """All that the model says before it says no more."""
    async with asyncio.timeout(60):
        while len(await told(bureau, run)) < len(WORDS):
            await asyncio.sleep(0.02)


async def cancel(bureau: Bureau, run: str) -> None:
    assert (await bureau.owner.client.post(f"{bureau.url}/runs/{run}/cancel")).status_code == 200


async def assert_counted(bureau: Bureau, run: Json) -> None:
    """The words, for the run and for the month, and told before the run's end."""
    usage = used_by(run)
    assert (usage["model_calls"], usage["output_tokens"]) == (1, ESTIMATED)
    assert isinstance(usage["input_tokens"], int)
    assert usage["input_tokens"] > 0
    by_project = await used(bureau)
    assert by_project["tokens"] == usage["input_tokens"] + ESTIMATED
    assert float(str(by_project["seconds"])) > 0
    kind, last = (await bureau.events(str(run["id"])))[-2]
    assert (kind, last) == ("usage", {name: used for name, used in usage.items() if name != "seconds"})


async def test_cancelling_in_the_middle_passes_no_budget(bureau: Bureau) -> None:
    answer = await bureau.owner.client.put(f"{bureau.url}/budget", json={"tokens": 100})
    assert answer.status_code == 200
    bureau.model.says(endless())
    async with bureau.working():
        run = await bureau.start()
        await until_told(bureau, run)
        await cancel(bureau, run)
        found = await bureau.until(run)
        assert found["status"] == "cancelled"
        await assert_counted(bureau, found)
        again = await bureau.until(await bureau.start())
    assert code_of(again) == "project_budget_exceeded"
    assert len(bureau.model.asked) == 1


async def test_a_call_that_is_cut_off_before_it_answers_counts_what_it_was_sent(bureau: Bureau) -> None:
    bureau.model.says(Reply(wait=asyncio.Event()))
    async with bureau.working():
        run = await bureau.start("When? " * 100)
        async with asyncio.timeout(60):
            while not bureau.model.asked:
                await asyncio.sleep(0.02)
        await cancel(bureau, run)
        usage = used_by(await bureau.until(run))
    assert usage["model_calls"] == 1
    assert usage["output_tokens"] == 0
    assert isinstance(usage["input_tokens"], int)
    assert usage["input_tokens"] >= 150


async def test_the_end_of_its_time_counts_what_was_said(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    spent = agent.limits.time.total_seconds() / 2 + 1
    ends = _timeouts_of(agent.limits.time.total_seconds() - spent, monkeypatch)
    bureau.model.says(endless())
    run = await bureau.start()
    await bureau.people.execute("UPDATE run SET seconds = $2 WHERE id::text = $1", run, spent)
    async with bureau.working():
        await until_told(bureau, run)
        [end] = ends
        end.reschedule(asyncio.get_running_loop().time())
        found = await bureau.until(run)
    assert code_of(found) == "run_limit_reached"
    await assert_counted(bureau, found)
    assert float(str(used_by(found)["seconds"])) > spent


def _timeouts_of(seconds: float, monkeypatch: pytest.MonkeyPatch) -> list[asyncio.Timeout]:
    """Those that are set for so long from now on: to let a long time end when everything is ready for it."""
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
async def test_who_loses_the_right_has_used_what_was_said(bureau: Bureau, change: str) -> None:
    person: Person = await bureau.people.person()
    await bureau.people.join(bureau.project, person, "editor")
    bureau.model.says(endless())
    async with bureau.working():
        body = {"agent": "assistant", "input": {"question": "?"}}
        run = str((await person.client.post(f"{bureau.url}/runs", json=body)).json()["id"])
        await until_told(bureau, run)
        await bureau.people.execute(f"{change} WHERE account_id = $1", person.id)
        found = await bureau.until(run)
    assert code_of(found) == "right_lost"
    await assert_counted(bureau, found)


async def test_each_attempt_of_a_broken_answer_counts(bureau: Bureau) -> None:
    broken = Reply(text=WORDS, cut=True)
    bureau.model.says(broken, broken, final(answer="Done.", sources=[]))
    run = await bureau.run()
    usage = used_by(run)
    assert (run["status"], usage["model_calls"], usage["output_tokens"]) == ("succeeded", 3, 2 * ESTIMATED + 11)
    assert isinstance(usage["input_tokens"], int)
    assert (await used(bureau))["tokens"] == usage["input_tokens"] + 2 * ESTIMATED + 11
    counted = [data["output_tokens"] for kind, data in await bureau.events(str(run["id"])) if kind == "usage"]
    assert counted == [ESTIMATED, 2 * ESTIMATED, 2 * ESTIMATED + 11]


async def test_a_worker_that_stops_hands_over_what_was_used(bureau: Bureau) -> None:
    bureau.model.says(endless())
    async with bureau.working():
        run = await bureau.start()
        await until_told(bureau, run)
    found = await bureau.get(run)
    assert found["status"] == "queued"
    await assert_counted(bureau, found)
    [row] = await bureau.people.fetch("SELECT attempts FROM run WHERE id::text = $1", run)
    assert row["attempts"] == 1
    bureau.model.says(final(answer="Done.", sources=[]))
    async with bureau.working():
        assert used_by(await bureau.until(run))["model_calls"] == 2


async def test_a_tool_that_is_cut_off_was_called(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSISTANT_PAUSE", "60")
    bureau.model.says(calling("append", document_id=await bureau.document(), text="once"))
    async with bureau.working():
        run = await bureau.start()
        async with asyncio.timeout(60):
            while "tool_called" not in await bureau.kinds(run):
                await asyncio.sleep(0.02)
        await cancel(bureau, run)
        usage = used_by(await bureau.until(run))
    assert (usage["model_calls"], usage["tool_calls"]) == (1, 1)
    assert (await used(bureau))["tool_calls"] == 1


@pytest.mark.parametrize("status", [503, 400])
async def test_a_refusal_uses_nothing_but_time(bureau: Bureau, status: int) -> None:
    bureau.model.says(Reply(status=status))
    run = await bureau.run(impatient=True)
    usage = used_by(run)
    assert float(str(usage.pop("seconds"))) > 0
    nothing = {"amount": "0.00", "currency": "USD"}
    assert usage == {"model_calls": 0, "tool_calls": 0, "input_tokens": 0, "output_tokens": 0, "cost": nothing}
    assert "usage" not in await bureau.kinds(str(run["id"]))


async def test_a_step_that_was_written_down_unheard_is_counted_once(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks between the commit and its answer."""
    call, broken = JobContext.call, asyncio.Event()

    async def breaks_once(
        self: JobContext, payload: ProjectJobPayload, sql: str, roles: Sequence[Role], *values: Value
    ) -> ProjectScope:
        scope = await call(self, payload, sql, roles, *values)
        if "finish_step" in sql and not broken.is_set():
            broken.set()
            raise UnavailableError
        return scope

    monkeypatch.setattr(JobContext, "call", breaks_once)
    bureau.model.says(final(answer="Done.", sources=[]))
    run = await bureau.run()
    assert (run["status"], len(bureau.model.asked)) == ("succeeded", 1)
    assert used_by(run)["model_calls"] == 1
    assert (await bureau.kinds(str(run["id"]))).count("usage") == 1


async def test_an_answer_that_could_not_be_written_down_is_counted(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever started the run leaves while the model ends its answer, before the worker looks."""
    call = JobContext.call

    async def refuses(
        self: JobContext, payload: ProjectJobPayload, sql: str, roles: Sequence[Role], *values: Value
    ) -> ProjectScope:
        if "finish_step" in sql:
            raise MissingRightError("")
        return await call(self, payload, sql, roles, *values)

    monkeypatch.setattr(JobContext, "call", refuses)
    bureau.model.says(final(answer="Done.", sources=[]))
    run = await bureau.run()
    assert code_of(run) == "right_lost"
    assert (used_by(run)["model_calls"], used_by(run)["output_tokens"]) == (1, 11)


async def test_an_answer_that_is_being_written_down_as_somebody_cancels_is_counted_once(bureau: Bureau) -> None:
    """Both the step's end and the run's wait for the month's row, which another has."""
    bureau.model.says(final(answer="Done.", sources=[]))
    first = used_by(await bureau.run())
    run = await bureau.start()
    async with AsyncExitStack() as holding:
        other = await holding.enter_async_context(bureau.people.transaction())
        await other.execute("SELECT FROM agent_usage WHERE project_id = $1 FOR UPDATE", bureau.project)
        async with bureau.working():
            await until_waiting(bureau, "finish_step")
            await cancel(bureau, run)
            await until_waiting(bureau, "count_usage")
            await holding.aclose()
            found = await bureau.until(run)
    assert found["status"] == "cancelled"
    second = used_by(found)
    assert (second["model_calls"], second["output_tokens"]) == (1, first["output_tokens"])
    assert (await used(bureau))["tokens"] == sum(
        int(str(each[kind])) for each in (first, second) for kind in ("input_tokens", "output_tokens")
    )


async def until_waiting(bureau: Bureau, function: str) -> None:
    """For a lock, in a call of that function."""
    sql = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        " AND query LIKE '%wall.' || $1 || '(%'"
    )
    async with asyncio.timeout(60):
        while not await bureau.people.fetch(sql, function):
            await asyncio.sleep(0.02)

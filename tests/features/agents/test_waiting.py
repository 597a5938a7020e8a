"""Runs whose model is away for minutes: they wait without a place, as long as the server asks, and go on."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import structlog
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from partywall.core.db.session import AsyncSession
from partywall.core.jobs import attempts
from partywall.core.tenancy import ProjectScope
from partywall.features.agents import retrying
from partywall.features.agents.journal import Journal
from partywall.features.agents.retrying import after_turned_away, next_attempt
from tests.features.agents.bureau import Bureau, Json, code_of, impatient_for_models, patient_for_models, used_by
from tests.features.agents.model_server import Reply, calling, final

DONE = final(answer="Done.", sources=[])
ROW = """
    SELECT status, attempts, failing_at, retry_at, extract(epoch FROM retry_at - now()) AS waits,
        (SELECT count(*) FROM job WHERE kind = 'run_agent' AND state = 'running') AS at_work
    FROM run WHERE id::text = $1
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_DELAY", attempts.FIRST_DELAY / 50)
    monkeypatch.setattr(retrying, "LONGEST_PAUSE", attempts.FIRST_DELAY)


def limited(retry_after: str) -> Reply:
    return Reply(status=429, headers={"Retry-After": retry_after})


def asking(form: str) -> Reply:
    """For two minutes, in one of the forms that servers use."""
    google = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "119.5s"}
    match form:
        case "date":
            return limited(format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True))
        case "milliseconds":
            return Reply(status=429, headers={"retry-after-ms": "119500"})
        case "google":
            return Reply(status=429, error={"code": 429, "message": "Exhausted.", "details": [google]})
        case "success":
            error = {"message": "overloaded", "code": 503, "metadata": {"retry_after_seconds": 120}}
            return Reply(raw=[json.dumps({"error": error})], media_type="application/json")
        case "stream":
            error = {"message": "overloaded, please try again in 2m0s", "code": 503}
            return Reply(raw=[f"data: {json.dumps({'error': error})}\n\n"])
    return limited(form)


async def until_waiting(bureau: Bureau, run: str) -> Json:
    """Its row once it has been put back, and its worker has nothing in hand."""
    async with asyncio.timeout(60):
        while True:
            [row] = await bureau.people.fetch(ROW, run)
            if row["retry_at"] is not None and row["status"] == "queued" and not row["at_work"]:
                return dict(row)


async def awake(bureau: Bureau, run: str) -> None:
    """As if the time had come."""
    await bureau.people.execute("UPDATE run SET retry_at = now() WHERE id::text = $1", run)
    await bureau.people.execute("UPDATE job SET due_at = now() WHERE kind = 'run_agent'")


async def test_more_failures_than_attempts_are_waited_for(bureau: Bureau) -> None:
    away = [Reply(status=503)] * (bureau.resources.settings.agents.max_attempts + 1)
    bureau.model.says(*away, calling("search", query="x"), Reply(status=503), DONE)
    run = await bureau.start()
    async with bureau.working(patient_for_models(bureau.resources)):
        found = await bureau.until(run)
    assert (found["status"], used_by(found)["model_calls"]) == ("succeeded", 2), found
    [row] = await bureau.people.fetch(ROW, run)
    assert (row["failing_at"], row["retry_at"]) == (None, None)
    reasons = [data for kind, data in await bureau.events(run) if kind == "queued" and "reason" in data]
    assert {data["reason"] for data in reasons} == {"model_unavailable"}
    assert all(str(data["retry_at"]).endswith("Z") for data in reasons)


@pytest.mark.parametrize("form", ["119.5", "date", "milliseconds", "google", "success", "stream"])
async def test_a_server_that_wants_time_gets_it_and_others_get_the_place(bureau: Bureau, form: str) -> None:
    """The one place of the project is free meanwhile, and cancelling ends the run at once."""
    bureau.model.says(asking(form), DONE)
    async with bureau.working(patient_for_models(bureau.resources)):
        run = await bureau.start()
        row = await until_waiting(bureau, run)
        assert 100 < float(str(row["waits"])) <= 120
        assert (await bureau.until(await bureau.start()))["status"] == "succeeded"
        assert (await bureau.get(run))["status"] == "queued"
        cancelled = await bureau.owner.client.post(f"{bureau.url}/runs/{run}/cancel")
        assert cancelled.json()["status"] == "cancelled"
        await awake(bureau, run)
    assert len(bureau.model.asked) == 2


async def test_another_worker_goes_on_after_the_pause(bureau: Bureau) -> None:
    document = await bureau.document()
    bureau.model.says(calling("append", document_id=document, text="once"), limited("120"), DONE)
    run = await bureau.start()
    async with bureau.working(patient_for_models(bureau.resources)):
        await until_waiting(bureau, run)
    await awake(bureau, run)
    async with bureau.working(patient_for_models(bureau.resources)):
        found = await bureau.until(run)
    assert (found["status"], len(bureau.model.asked)) == ("succeeded", 3)
    assert used_by(found)["tool_calls"] == 1


async def test_a_job_that_comes_too_early_waits_on(bureau: Bureau) -> None:
    bureau.model.says(limited("120"), DONE)
    run = await bureau.start()
    async with bureau.working(patient_for_models(bureau.resources)):
        await until_waiting(bureau, run)
        await bureau.people.execute("UPDATE job SET due_at = now() WHERE kind = 'run_agent'")
        with structlog.testing.capture_logs() as logs:
            async with asyncio.timeout(60):
                while not [log for log in logs if log["event"] == "job_put_back"]:
                    await until_waiting(bureau, run)
    assert len(bureau.model.asked) == 1


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_a_server_that_wants_more_time_than_there_is_is_not_asked_again(bureau: Bureau, form: str) -> None:
    """Not before `Retry-After`: so the run ends at once, with what the server said."""
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    bureau.model.says(limited("3600" if form == "seconds" else date))
    run = await bureau.start()
    async with bureau.working(patient_for_models(bureau.resources)):
        found = await bureau.until(run)
    assert (code_of(found), len(bureau.model.asked)) == ("model_rate_limited", 1)
    assert "queued" not in (await bureau.kinds(run))[1:]


async def test_a_worker_that_dies_between_the_run_and_its_job_loses_nothing(bureau: Bureau) -> None:
    """The run has been put back for its model's sake, its job not yet: another worker does that, and begins nothing."""
    run = await bureau.start()
    await bureau.people.execute(
        "UPDATE run SET status = 'queued', retry_at = now() + interval '2 minutes', failing_at = now()"
        " WHERE id::text = $1", run,
    )  # fmt: skip
    await bureau.people.execute(
        "UPDATE job SET state = 'running', attempts = 1, lease = gen_random_uuid(), heartbeat_at = 'epoch'"
        " WHERE project_id = $1", bureau.project,
    )  # fmt: skip
    bureau.model.says(DONE)
    async with bureau.working(patient_for_models(bureau.resources)):
        async with asyncio.timeout(60):
            while not await bureau.people.fetch(
                "SELECT FROM job WHERE state = 'delayed' AND due_at > now() + interval '1 minute' AND project_id = $1",
                bureau.project,
            ):
                await asyncio.sleep(0.02)
        assert bureau.model.asked == []
        await awake(bureau, run)
        assert (await bureau.until(run))["status"] == "succeeded"


async def test_a_tool_that_raises_is_called_once(bureau: Bureau) -> None:
    bureau.model.says(calling("stumble", again=False), DONE)
    with structlog.testing.capture_logs() as logs:
        run = await bureau.run()
    assert (code_of(run), len(bureau.model.asked)) == ("tool_failed", 1)
    assert "0000" not in str(run["error"])
    assert [type(log["exc_info"].__cause__) for log in logs if log["event"] == "run_failed"] == [RuntimeError]
    assert await calls_of(bureau, run) == [1]


async def test_a_tool_that_asks_for_it_is_called_again_later(bureau: Bureau) -> None:
    bureau.model.says(calling("stumble", again=True), DONE)
    run = await bureau.start()
    async with bureau.working(impatient_for_models(bureau.resources)):
        found = await bureau.until(run)
    assert found["error"] == {"code": "tool_unavailable", "detail": "The scales are being calibrated."}
    [calls] = await calls_of(bureau, found)
    assert calls > 1


async def test_a_tool_whose_database_is_away_has_not_failed(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    transaction, away = Journal.transaction, [ConnectionRefusedError(), PoolTimeoutError()]

    def refused(self: Journal) -> AbstractAsyncContextManager[tuple[AsyncSession, ProjectScope]]:
        if away:
            raise away.pop()
        return transaction(self)

    monkeypatch.setattr(Journal, "transaction", refused)
    document = await bureau.document()
    bureau.model.says(calling("append", document_id=document, text="once"), DONE)
    run = await bureau.run()
    assert (run["status"], away) == ("succeeded", []), run
    content = await bureau.owner.client.get(f"{bureau.url}/documents/{document}/content")
    assert content.text.count("once") == 1


async def calls_of(bureau: Bureau, run: Json) -> list[int]:
    sql = "SELECT attempts FROM run_step WHERE run_id::text = $1 AND name NOT LIKE '%.request%'"
    return [row["attempts"] for row in await bureau.people.fetch(sql, str(run["id"]))]


def test_the_pauses_double_up_to_a_minute_and_the_last_attempt_is_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    at, lasting, pauses = timedelta(), timedelta(minutes=15), []
    while (pause := next_attempt(at, lasting, None)) is not None:
        pauses.append(pause)
        at += pause
    assert at == lasting
    assert max(pauses) <= retrying.LONGEST_PAUSE
    assert 15 < len(pauses) < 50
    assert next_attempt(timedelta(), lasting, timedelta(seconds=45)) == timedelta(seconds=45)
    assert next_attempt(timedelta(minutes=14), lasting, timedelta(minutes=1)) == timedelta(minutes=1)
    assert next_attempt(timedelta(minutes=14), lasting, timedelta(minutes=2)) is None
    assert next_attempt(timedelta(), timedelta(), None) is None


def test_who_is_turned_away_comes_back_when_the_server_may_be_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    lasting, after = timedelta(minutes=15), timedelta(seconds=2)
    for failing in (timedelta(), timedelta(minutes=10)):
        pause = after_turned_away(failing, lasting, after)
        assert pause is not None
        assert after < pause <= after + attempts.FIRST_DELAY
    assert after_turned_away(lasting - timedelta(seconds=1), lasting, after) == timedelta(seconds=1)
    assert after_turned_away(lasting, lasting, after) is None

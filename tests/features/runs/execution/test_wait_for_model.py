"""Runs whose model is unavailable for minutes wait without a slot, as long as the server asks, then go on."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import structlog

from partywall.features.runs.execution import retry_schedule
from tests.features.runs.agent_workspace import (
    AgentWorkspace,
    Json,
    code_of,
    patient_for_models,
    used_by,
)
from tests.features.runs.model_server import Reply, calling, final

pytestmark = pytest.mark.usefixtures("quick_retries")

DONE = final(answer="Done.", sources=[])
ROW = """
    SELECT status, attempts, failing_at, retry_at, extract(epoch FROM retry_at - now()) AS waits,
        (SELECT count(*) FROM job WHERE kind = 'run_agent' AND state = 'running') AS at_work
    FROM run WHERE id::text = $1
"""


def event(**fields: object) -> str:
    return f"data: {json.dumps(fields)}\n\n"


ROLE = event(id="c", choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}}])
EMPTY = {
    "nothing": [],
    "role": [ROLE],
    "error": [event(error={"message": "overloaded", "code": 503})],
    "role and 500": [ROLE, event(error={"message": "overloaded", "code": 500})],
    "role and 429": [ROLE, event(error={"message": "slow down", "code": 429})],
    "role and 529": [ROLE, event(error={"message": "overloaded", "code": 529})],
}


def limited(retry_after: str) -> Reply:
    return Reply(status=429, headers={"Retry-After": retry_after})


def asking(form: str) -> Reply:
    """Asks for a wait of two minutes, in one of the forms that servers use."""
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


async def until_waiting(workspace: AgentWorkspace, run: str) -> Json:
    """The row of the run once it is queued again and no worker has it."""
    async with asyncio.timeout(60):
        while True:
            [row] = await workspace.users.fetch(ROW, run)
            if row["retry_at"] is not None and row["status"] == "queued" and not row["at_work"]:
                return dict(row)


async def end_wait(workspace: AgentWorkspace, run: str) -> None:
    """Ends the wait of the run."""
    await workspace.users.execute("UPDATE run SET retry_at = now() WHERE id::text = $1", run)
    await workspace.users.execute("UPDATE job SET due_at = now() WHERE kind = 'run_agent'")


async def test_more_failures_than_attempts_are_waited_for(workspace: AgentWorkspace) -> None:
    away = [Reply(status=503)] * (workspace.resources.settings.agents.max_attempts + 1)
    workspace.model.says(*away, calling("search", query="x"), Reply(status=503), DONE)
    run = await workspace.start()
    async with workspace.working(patient_for_models(workspace.resources)):
        found = await workspace.until(run)
    assert (found["status"], used_by(found)["model_calls"]) == ("succeeded", 2), found
    [row] = await workspace.users.fetch(ROW, run)
    assert (row["failing_at"], row["retry_at"]) == (None, None)
    reasons = [data for kind, data in await workspace.events(run) if kind == "queued" and "reason" in data]
    assert {data["reason"] for data in reasons} == {"model_unavailable"}
    assert all(str(data["retry_at"]).endswith("Z") for data in reasons)


OVERLOADED = {"code": 503, "message": "overloaded"}


@pytest.mark.parametrize(
    "error",
    [
        {"error": "model is overloaded, retry"},
        [{"error": OVERLOADED}],
        {"error": {"message": "The engine is overloaded."}},
        {"object": "error", **OVERLOADED},
        {"error": "no", "status": 503},
    ],
)
async def test_an_error_in_place_of_an_answer_is_waited_for(workspace: AgentWorkspace, error: object) -> None:
    """As JSON, and as the first event."""
    said = json.dumps(error)
    workspace.model.says(Reply(raw=[said], media_type="application/json"), Reply(raw=[f"data: {said}\n\n"]), DONE)
    run = await workspace.start()
    async with workspace.working(patient_for_models(workspace.resources)):
        found = await workspace.until(run)
    assert (found["status"], len(workspace.model.asked)) == ("succeeded", 3), found
    reasons = [data["reason"] for kind, data in await workspace.events(run) if kind == "queued" and "reason" in data]
    assert reasons == ["model_unavailable"] * 2


@pytest.mark.parametrize("form", sorted(EMPTY))
async def test_an_answer_that_ends_before_its_content_is_an_outage(workspace: AgentWorkspace, form: str) -> None:
    """More often than there are attempts; the prompts that were sent are counted, but not as model calls."""
    empty = [Reply(raw=EMPTY[form])] * 3
    workspace.model.says(*empty, DONE)
    run = await workspace.start()
    async with workspace.working(patient_for_models(workspace.resources, max_attempts=2)):
        found = await workspace.until(run)
    assert (found["status"], used_by(found)["model_calls"]) == ("succeeded", 1), found
    assert len(workspace.model.asked) == 4
    counted = [int(str(data["input_tokens"])) for kind, data in await workspace.events(run) if kind == "usage"]
    assert len(counted) == (4 if ROLE in EMPTY[form] else 1)
    assert counted == sorted(set(counted))


async def test_answers_that_break_off_in_the_middle_are_few_and_far_between(
    workspace: AgentWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry_schedule, "PAUSES_AFTER_CUT", (timedelta(seconds=500), timedelta(seconds=800)))
    workspace.model.says(Reply(text="half", cut=True))
    run = await workspace.start()
    async with workspace.working(patient_for_models(workspace.resources, max_attempts=3)):
        waits = []
        for _ in range(2):
            waits.append(float(str((await until_waiting(workspace, run))["waits"])))
            await end_wait(workspace, run)
            asked = len(waits) + 1
            async with asyncio.timeout(60):
                while len(workspace.model.asked) < asked:
                    await asyncio.sleep(0.02)
        found = await workspace.until(run)
    assert (code_of(found), len(workspace.model.asked)) == ("model_unavailable", 3)
    assert 440 < waits[0] < 640 < waits[1]


@pytest.mark.parametrize("form", ["119.5", "date", "milliseconds", "google", "success", "stream"])
async def test_a_server_that_wants_time_gets_it_and_others_get_the_place(workspace: AgentWorkspace, form: str) -> None:
    """The project's only slot is free meanwhile, and cancelling ends the run at once."""
    workspace.model.says(asking(form), DONE)
    async with workspace.working(patient_for_models(workspace.resources)):
        run = await workspace.start()
        row = await until_waiting(workspace, run)
        assert 100 < float(str(row["waits"])) <= 120
        assert (await workspace.until(await workspace.start()))["status"] == "succeeded"
        assert (await workspace.get(run))["status"] == "queued"
        cancelled = await workspace.owner.client.post(f"{workspace.url}/runs/{run}/cancel")
        assert cancelled.json()["status"] == "cancelled"
        await end_wait(workspace, run)
    assert len(workspace.model.asked) == 2


async def test_another_worker_goes_on_after_the_pause(workspace: AgentWorkspace) -> None:
    document = await workspace.document()
    workspace.model.says(calling("append", document_id=document, text="once"), limited("120"), DONE)
    run = await workspace.start()
    async with workspace.working(patient_for_models(workspace.resources)):
        await until_waiting(workspace, run)
    await end_wait(workspace, run)
    async with workspace.working(patient_for_models(workspace.resources)):
        found = await workspace.until(run)
    assert (found["status"], len(workspace.model.asked)) == ("succeeded", 3)
    assert used_by(found)["tool_calls"] == 1


async def test_a_job_that_comes_too_early_waits_on(workspace: AgentWorkspace) -> None:
    workspace.model.says(limited("120"), DONE)
    run = await workspace.start()
    async with workspace.working(patient_for_models(workspace.resources)):
        await until_waiting(workspace, run)
        await workspace.users.execute("UPDATE job SET due_at = now() WHERE kind = 'run_agent'")
        with structlog.testing.capture_logs() as logs:
            async with asyncio.timeout(60):
                while not [log for log in logs if log["event"] == "job_put_back"]:
                    await until_waiting(workspace, run)
    assert len(workspace.model.asked) == 1


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_a_server_that_wants_too_much_time_is_not_asked_again(workspace: AgentWorkspace, form: str) -> None:
    """`Retry-After` exceeds the time left: the run fails at once with the server's error."""
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    workspace.model.says(limited("3600" if form == "seconds" else date))
    run = await workspace.start()
    async with workspace.working(patient_for_models(workspace.resources)):
        found = await workspace.until(run)
    assert (code_of(found), len(workspace.model.asked)) == ("model_rate_limited", 1)
    assert "queued" not in (await workspace.kinds(run))[1:]


async def test_a_worker_that_dies_between_the_run_and_its_job_loses_nothing(workspace: AgentWorkspace) -> None:
    """The run is queued again, its job not yet: another worker delays the job and calls no model."""
    run = await workspace.start()
    await workspace.users.execute(
        "UPDATE run SET status = 'queued', retry_at = now() + interval '2 minutes', failing_at = now()"
        " WHERE id::text = $1", run,
    )  # fmt: skip
    await workspace.users.execute(
        "UPDATE job SET state = 'running', attempts = 1, lease = gen_random_uuid(), heartbeat_at = 'epoch'"
        " WHERE project_id = $1", workspace.project,
    )  # fmt: skip
    workspace.model.says(DONE)
    async with workspace.working(patient_for_models(workspace.resources)):
        async with asyncio.timeout(60):
            while not await workspace.users.fetch(
                "SELECT FROM job WHERE state = 'delayed' AND due_at > now() + interval '1 minute' AND project_id = $1",
                workspace.project,
            ):
                await asyncio.sleep(0.02)
        assert workspace.model.asked == []
        await end_wait(workspace, run)
        assert (await workspace.until(run))["status"] == "succeeded"

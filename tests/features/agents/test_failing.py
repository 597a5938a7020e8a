from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
import structlog

from partywall.core.jobs import attempts
from tests.features.agents.bureau import Bureau, code_of, used_by
from tests.features.agents.model_server import Asked, Reply, calling, final


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_DELAY", attempts.FIRST_DELAY / 20)


async def test_a_passing_failure_is_tried_again_without_repeating_what_is_done(bureau: Bureau) -> None:
    document = await bureau.document()
    bureau.model.says(
        calling("append", document_id=document, text="once"),
        Reply(status=503),
        Reply(text="half", cut=True),
        final(answer="Done.", sources=[]),
    )
    run = await bureau.run()
    assert run["status"] == "succeeded", run
    assert used_by(run)["model_calls"] == 3  # half an answer is one too
    assert len(bureau.model.asked) == 4
    content = await bureau.owner.client.get(f"{bureau.url}/documents/{document}/content")
    assert content.text.count("once") == 1
    kinds = await bureau.kinds(str(run["id"]))
    assert kinds.count("tool_called") == kinds.count("tool_returned") == 1
    assert kinds.count("queued") == 3


async def test_a_model_that_never_answers_fails_the_run(bureau: Bureau) -> None:
    bureau.model.says(Reply(status=503))
    run = await bureau.run(impatient=True)
    assert run["status"] == "failed"
    assert code_of(run) == "model_unavailable"
    assert len(bureau.model.asked) > 1


async def test_a_refusal_is_final(bureau: Bureau) -> None:
    bureau.model.says(Reply(status=400))
    run = await bureau.run()
    assert (run["status"], len(bureau.model.asked)) == ("failed", 1)
    assert code_of(run) == "model_refused"


async def test_output_that_does_not_fit_is_asked_for_again(bureau: Bureau) -> None:
    bureau.model.says(calling("final_result", answer=1), final(answer="Better.", sources=[]))
    run = await bureau.run()
    assert (run["status"], len(bureau.model.asked)) == ("succeeded", 2)
    bureau.model.says(calling("final_result", answer=1))
    run = await bureau.run()
    assert code_of(run) == "output_invalid"


async def test_a_tool_that_meets_a_refusal_tells_the_model(bureau: Bureau) -> None:
    bureau.model.says(calling("read", document_id=str(uuid4())), final(answer="Nothing.", sources=[]))
    run = await bureau.run()
    assert run["status"] == "succeeded"
    assert "No such document" in bureau.model.asked[1].tool_results[0]
    events = dict(await bureau.events(str(run["id"])))
    assert events["tool_returned"]["ok"] is False


async def test_a_tool_that_asks_for_what_fits_no_schema_tells_the_model(bureau: Bureau) -> None:
    bureau.model.says(calling("search", query=" "), final(answer="Nothing.", sources=[]))
    run = await bureau.run()
    assert run["status"] == "succeeded", run
    assert "This cannot be asked for: q:" in bureau.model.asked[1].tool_results[0]


async def test_a_run_that_is_begun_too_often_without_progress_is_given_up(bureau: Bureau) -> None:
    """As after a worker died each time: only the raised count is left."""
    run = await bureau.start()
    most = bureau.resources.settings.agents.max_attempts
    await bureau.people.execute("UPDATE run SET status = 'running', attempts = $2 WHERE id::text = $1", run, most)
    async with bureau.working():
        found = await bureau.until(run)
    assert code_of(found) == "run_abandoned"
    assert bureau.model.asked == []


async def test_who_has_left_runs_nothing(bureau: Bureau) -> None:
    person = await bureau.people.person()
    await bureau.people.join(bureau.project, person, "editor")
    answer = await person.client.post(f"{bureau.url}/runs", json={"agent": "assistant", "input": {"question": "?"}})
    await bureau.people.execute("DELETE FROM project_member WHERE account_id = $1", person.id)
    async with bureau.working():
        found = await bureau.until(answer.json()["id"])
    assert code_of(found) == "right_lost"
    assert bureau.model.asked == []


@pytest.mark.parametrize(
    "change", ["DELETE FROM project_member", "UPDATE project_member SET role = 'viewer'"], ids=["removed", "lowered"]
)
async def test_who_leaves_meanwhile_is_stopped(bureau: Bureau, change: str) -> None:
    person = await bureau.people.person()
    await bureau.people.join(bureau.project, person, "editor")
    never = asyncio.Event()
    bureau.model.says(Reply(wait=never))
    async with bureau.working():
        answer = await person.client.post(f"{bureau.url}/runs", json={"agent": "assistant", "input": {"question": "?"}})
        while not bureau.model.asked:
            await asyncio.sleep(0.02)
        await bureau.people.execute(f"{change} WHERE account_id = $1", person.id)
        found = await bureau.until(answer.json()["id"])
    assert code_of(found) == "right_lost"


@pytest.mark.parametrize("said", ["", "word " * 1_000], ids=["hanging", "streaming"])
async def test_who_is_made_a_viewer_meanwhile_is_stopped(bureau: Bureau, said: str) -> None:
    person = await bureau.people.person()
    await bureau.people.join(bureau.project, person, "editor")
    bureau.model.says(Reply(text=said, pause=0.05, wait=asyncio.Event()))
    async with bureau.working():
        answer = await person.client.post(f"{bureau.url}/runs", json={"agent": "assistant", "input": {"question": "?"}})
        run = str(answer.json()["id"])
        async with asyncio.timeout(60):
            while not bureau.model.asked or (said and ("token" not in dict(await bureau.events(run)))):
                await asyncio.sleep(0.02)
        changed = await bureau.owner.client.patch(f"{bureau.url}/members/{person.id}", json={"role": "viewer"})
        assert changed.status_code == 200
        found = await bureau.until(run)
        assert code_of(found) == "right_lost"
        async with asyncio.timeout(60):
            while not bureau.model.broken_off:
                await asyncio.sleep(0.02)


async def test_a_pause_between_attempts_is_no_failure_in_the_log(bureau: Bureau) -> None:
    bureau.model.says(Reply(status=503), final(answer="Done.", sources=[]))
    with structlog.testing.capture_logs() as logs:
        assert (await bureau.run())["status"] == "succeeded"
    assert [log["reason"] for log in logs if log["event"] == "job_put_back"] == ["model_unavailable"]
    assert [log for log in logs if log["log_level"] == "error" or log.get("exc_info")] == []


async def test_a_worker_that_stops_has_not_failed(bureau: Bureau) -> None:
    bureau.model.says(Reply(wait=asyncio.Event()))
    with structlog.testing.capture_logs() as logs:
        async with bureau.working():
            run = await bureau.start()
            async with asyncio.timeout(60):
                while not bureau.model.asked:
                    await asyncio.sleep(0.02)
    assert (await bureau.get(run))["status"] == "queued"
    assert [log["reason"] for log in logs if log["event"] == "job_put_back"] == ["worker_stopped"]
    assert [log for log in logs if log["log_level"] == "error" or log.get("exc_info")] == []


async def test_one_project_does_not_starve_another(bureau: Bureau) -> None:
    """A hundred runs are queued before the one of a neighbour, which is done long before them."""
    order: list[str] = []

    def script(asked: Asked) -> Reply:
        order.append(asked.prompt)
        return final(answer="Done.", sources=[])

    bureau.model.script = script
    for _ in range(100):
        await bureau.start("many")
    other = await bureau.owner.project()
    body = {"agent": "assistant", "input": {"question": "one"}}
    answer = await bureau.owner.client.post(f"/api/v1/projects/{other}/runs", json=body)
    assert answer.status_code == 202
    async with bureau.working(), asyncio.timeout(60):
        while "one" not in order:
            await asyncio.sleep(0.05)
    places = bureau.resources.settings.agents.concurrency_per_project
    assert order.index("one") <= 2 * places + 4

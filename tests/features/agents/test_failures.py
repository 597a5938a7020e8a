from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
import structlog

from partywall.core.jobs import dead_letter
from tests.features.agents.agent_workspace import AgentWorkspace, code_of, used_by
from tests.features.agents.model_server import Asked, Reply, calling, final


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letter, "FIRST_DELAY", dead_letter.FIRST_DELAY / 20)


async def test_a_passing_failure_is_tried_again_without_repeating_what_is_done(workspace: AgentWorkspace) -> None:
    document = await workspace.document()
    workspace.model.says(
        calling("append", document_id=document, text="once"),
        Reply(status=503),
        Reply(text="half", cut=True),
        final(answer="Done.", sources=[]),
    )
    run = await workspace.run()
    assert run["status"] == "succeeded", run
    assert used_by(run)["model_calls"] == 3  # a partial answer counts as a call
    assert len(workspace.model.asked) == 4
    content = await workspace.owner.client.get(f"{workspace.url}/documents/{document}/content")
    assert content.text.count("once") == 1
    kinds = await workspace.kinds(str(run["id"]))
    assert kinds.count("tool_called") == kinds.count("tool_returned") == 1
    assert kinds.count("queued") == 3


async def test_a_model_that_never_answers_fails_the_run(workspace: AgentWorkspace) -> None:
    workspace.model.says(Reply(status=503))
    run = await workspace.run(impatient=True)
    assert run["status"] == "failed"
    assert code_of(run) == "model_unavailable"
    assert len(workspace.model.asked) > 1


async def test_a_model_refusal_is_final(workspace: AgentWorkspace) -> None:
    workspace.model.says(Reply(status=400))
    run = await workspace.run()
    assert (run["status"], len(workspace.model.asked)) == ("failed", 1)
    assert code_of(run) == "model_refused"


async def test_output_that_does_not_fit_is_asked_for_again(workspace: AgentWorkspace) -> None:
    workspace.model.says(calling("final_result", answer=1), final(answer="Better.", sources=[]))
    run = await workspace.run()
    assert (run["status"], len(workspace.model.asked)) == ("succeeded", 2)
    workspace.model.says(calling("final_result", answer=1))
    run = await workspace.run()
    assert code_of(run) == "output_invalid"


async def test_a_tool_error_is_reported_to_the_model(workspace: AgentWorkspace) -> None:
    workspace.model.says(calling("read", document_id=str(uuid4())), final(answer="Nothing.", sources=[]))
    run = await workspace.run()
    assert run["status"] == "succeeded"
    assert "No such document" in workspace.model.asked[1].tool_results[0]
    events = dict(await workspace.events(str(run["id"])))
    assert events["tool_returned"]["ok"] is False


async def test_invalid_arguments_of_a_tool_are_reported_to_the_model(workspace: AgentWorkspace) -> None:
    workspace.model.says(calling("search", query=" "), final(answer="Nothing.", sources=[]))
    run = await workspace.run()
    assert run["status"] == "succeeded", run
    assert "This cannot be asked for: q:" in workspace.model.asked[1].tool_results[0]


async def test_a_run_that_is_begun_too_often_without_progress_is_given_up(workspace: AgentWorkspace) -> None:
    """As if a worker had died each time, leaving only the raised count."""
    run = await workspace.start()
    most = workspace.resources.settings.agents.max_attempts
    await workspace.users.execute("UPDATE run SET status = 'running', attempts = $2 WHERE id::text = $1", run, most)
    async with workspace.working():
        found = await workspace.until(run)
    assert code_of(found) == "run_abandoned"
    assert workspace.model.asked == []


async def test_who_has_left_runs_nothing(workspace: AgentWorkspace) -> None:
    person = await workspace.users.person()
    await workspace.users.join(workspace.project, person, "editor")
    answer = await person.client.post(f"{workspace.url}/runs", json={"agent": "assistant", "input": {"question": "?"}})
    await workspace.users.execute("DELETE FROM project_member WHERE account_id = $1", person.id)
    async with workspace.working():
        found = await workspace.until(answer.json()["id"])
    assert code_of(found) == "right_lost"
    assert workspace.model.asked == []


@pytest.mark.parametrize(
    "change", ["DELETE FROM project_member", "UPDATE project_member SET role = 'viewer'"], ids=["removed", "lowered"]
)
async def test_who_leaves_meanwhile_is_stopped(workspace: AgentWorkspace, change: str) -> None:
    person = await workspace.users.person()
    await workspace.users.join(workspace.project, person, "editor")
    never = asyncio.Event()
    workspace.model.says(Reply(wait=never))
    async with workspace.working():
        answer = await person.client.post(
            f"{workspace.url}/runs", json={"agent": "assistant", "input": {"question": "?"}}
        )
        while not workspace.model.asked:
            await asyncio.sleep(0.02)
        await workspace.users.execute(f"{change} WHERE account_id = $1", person.id)
        found = await workspace.until(answer.json()["id"])
    assert code_of(found) == "right_lost"


@pytest.mark.parametrize("said", ["", "word " * 1_000], ids=["hanging", "streaming"])
async def test_who_is_made_a_viewer_meanwhile_is_stopped(workspace: AgentWorkspace, said: str) -> None:
    person = await workspace.users.person()
    await workspace.users.join(workspace.project, person, "editor")
    workspace.model.says(Reply(text=said, pause=0.05, wait=asyncio.Event()))
    async with workspace.working():
        answer = await person.client.post(
            f"{workspace.url}/runs", json={"agent": "assistant", "input": {"question": "?"}}
        )
        run = str(answer.json()["id"])
        async with asyncio.timeout(60):
            while not workspace.model.asked or (said and ("token" not in dict(await workspace.events(run)))):
                await asyncio.sleep(0.02)
        changed = await workspace.owner.client.patch(f"{workspace.url}/members/{person.id}", json={"role": "viewer"})
        assert changed.status_code == 200
        found = await workspace.until(run)
        assert code_of(found) == "right_lost"
        async with asyncio.timeout(60):
            while not workspace.model.broken_off:
                await asyncio.sleep(0.02)


async def test_a_pause_between_attempts_is_no_failure_in_the_log(workspace: AgentWorkspace) -> None:
    workspace.model.says(Reply(status=503), final(answer="Done.", sources=[]))
    with structlog.testing.capture_logs() as logs:
        assert (await workspace.run())["status"] == "succeeded"
    assert [log["reason"] for log in logs if log["event"] == "job_put_back"] == ["model_unavailable"]
    assert [log for log in logs if log["log_level"] == "error" or log.get("exc_info")] == []


async def test_a_worker_that_stops_has_not_failed(workspace: AgentWorkspace) -> None:
    workspace.model.says(Reply(wait=asyncio.Event()))
    with structlog.testing.capture_logs() as logs:
        async with workspace.working():
            run = await workspace.start()
            async with asyncio.timeout(60):
                while not workspace.model.asked:
                    await asyncio.sleep(0.02)
    assert (await workspace.get(run))["status"] == "queued"
    assert [log["reason"] for log in logs if log["event"] == "job_put_back"] == ["worker_stopped"]
    assert [log for log in logs if log["log_level"] == "error" or log.get("exc_info")] == []


async def test_one_project_does_not_starve_another(workspace: AgentWorkspace) -> None:
    """A run queued behind a hundred of another project finishes long before them."""
    order: list[str] = []

    def script(asked: Asked) -> Reply:
        order.append(asked.prompt)
        return final(answer="Done.", sources=[])

    workspace.model.script = script
    for _ in range(100):
        await workspace.start("many")
    other = await workspace.owner.project()
    body = {"agent": "assistant", "input": {"question": "one"}}
    answer = await workspace.owner.client.post(f"/api/v1/projects/{other}/runs", json=body)
    assert answer.status_code == 202
    async with workspace.working(), asyncio.timeout(60):
        while "one" not in order:
            await asyncio.sleep(0.05)
    places = workspace.resources.settings.agents.concurrency_per_project
    assert order.index("one") <= 2 * places + 4

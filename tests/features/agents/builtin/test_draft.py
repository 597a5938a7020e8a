from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

from tests.features.agents.builtin.runs import CONTRACT, complaint, listed, output_of
from tests.features.agents.builtin.test_summarise import reads
from tests.features.runs.agent_workspace import AgentWorkspace, Json
from tests.features.runs.model_server import Call, Reply, calling, final
from tests.features.runs.test_approval import decide

WRITE = calling("write", title="Terms", content="# Terms\n\nTen days.")
NOTES = final(notes="Rests on the contract.", status="written", document_id=None, version=77)
BRIEF = {"brief": "Write down the terms."}


async def waiting(workspace: AgentWorkspace, given: Json, *replies: Reply) -> Json:
    """A run that waits for a decision."""
    workspace.model.says(*replies)
    started = await workspace.start(agent="draft", input={**BRIEF, **given})
    async with workspace.working():
        found = await workspace.until(started, "waiting", "failed", "succeeded")
    assert found["status"] == "waiting", found
    return found


async def decided(workspace: AgentWorkspace, run: Json, *statuses: str, **decision: object) -> Json:
    await decide(workspace, str(run["id"]), **decision)
    async with workspace.working():
        return await workspace.until(str(run["id"]), *statuses)


async def documents(workspace: AgentWorkspace) -> Sequence[Json]:
    found: list[Json] = (await workspace.owner.client.get(f"{workspace.url}/documents")).json()["items"]
    return found


async def document(workspace: AgentWorkspace, id_: object) -> Json:
    found: Json = (await workspace.owner.client.get(f"{workspace.url}/documents/{id_}")).json()
    return found


async def test_a_new_document_is_written_once_it_is_approved(workspace: AgentWorkspace) -> None:
    source = await workspace.document("Contract", CONTRACT)
    text = "# Terms\n\n" + "Ten days. " * 2000
    write = calling("write", title=" Terms ", content=text)
    run = await waiting(workspace, {"document_ids": [source]}, reads(source), write, NOTES)
    [pending] = cast("list[Json]", run["pending"])
    assert (pending["tool"], pending["arguments"]) == ("write", {"title": " Terms ", "content": text})
    assert [each["id"] for each in await documents(workspace)] == [source]
    output = output_of(await decided(workspace, run, approve=True))
    made = await document(workspace, output["document_id"])
    assert (made["title"], made["content"], made["status"], made["version"]) == ("Terms", text, "draft", 1)
    assert made["created_by"] == str(workspace.owner.id)
    assert output == {
        "status": "written", "document_id": made["id"], "version": 1, "title": "Terms", "comment": None,
        "notes": "Rests on the contract.",
    }  # fmt: skip
    kinds = await workspace.users.fetch("SELECT type FROM event WHERE subject_id = $1", made["id"])
    assert [row["type"] for row in kinds] == ["document.created"]


async def test_a_new_version_is_written_on_top_of_what_was_read(workspace: AgentWorkspace) -> None:
    target = await workspace.document("Contract", CONTRACT)
    run = await waiting(workspace, {"document_id": target}, reads(target), WRITE, NOTES)
    assert (await document(workspace, target))["content"] == CONTRACT
    output = output_of(await decided(workspace, run, approve=True))
    assert (output["status"], output["document_id"], output["version"]) == ("written", target, 2)
    changed = await document(workspace, target)
    assert (changed["title"], changed["content"], changed["version"]) == ("Terms", "# Terms\n\nTen days.", 2)


async def test_a_rejection_ends_the_run_and_nothing_is_written(workspace: AgentWorkspace) -> None:
    """Also when the model tries again: the tool is no longer offered."""
    run = await waiting(workspace, {}, WRITE, WRITE, NOTES)
    output = output_of(await decided(workspace, run, approve=False, comment="Not in this tone."))
    assert output == {
        "status": "rejected", "document_id": None, "version": None, "title": None, "comment": "Not in this tone.",
        "notes": "Rests on the contract.",
    }  # fmt: skip
    assert await documents(workspace) == []
    assert "Not in this tone." in workspace.model.asked[1].tool_results[0]
    assert "write" not in workspace.model.asked[1].tools
    assert len(workspace.model.asked) == 3


async def test_a_document_that_changed_meanwhile_is_not_written_over(workspace: AgentWorkspace) -> None:
    """It must be read again and the new text approved again."""
    target = await workspace.document("Contract", CONTRACT)
    run = await waiting(workspace, {"document_id": target}, reads(target), WRITE, WRITE, reads(target), WRITE, NOTES)
    await workspace.owner.client.patch(f"{workspace.url}/documents/{target}", json={"content": "Changed by hand."})
    again = await decided(workspace, run, "waiting", "failed", "succeeded", approve=True)
    assert again["status"] == "waiting", again
    assert (await document(workspace, target))["content"] == "Changed by hand."
    assert "has 2 now" in workspace.model.asked[2].tool_results[1]
    assert "write" not in workspace.model.asked[2].tools
    output = output_of(await decided(workspace, again, approve=True))
    assert (output["status"], output["version"]) == ("written", 3)


async def test_a_document_is_not_rewritten_unread(workspace: AgentWorkspace) -> None:
    target = await workspace.document("Contract", CONTRACT)
    run = await waiting(workspace, {"document_id": target}, WRITE, reads(target), WRITE)
    assert "write" not in workspace.model.asked[0].tools
    assert "write" in workspace.model.asked[2].tools
    assert run["status"] == "waiting"


async def test_what_is_read_beside_a_draft_does_not_count_for_it(workspace: AgentWorkspace) -> None:
    """The draft was written before the model saw that version."""
    target = await workspace.document("Contract", CONTRACT)
    changing = workspace.owner.client.patch(f"{workspace.url}/documents/{target}", json={"content": "Changed by hand."})

    async def script(_: object) -> Reply:
        match len(workspace.model.asked):
            case 1:
                return reads(target)
            case 2:
                await changing
                return Reply(calls=[*reads(target).calls, *WRITE.calls])
            case _:
                return NOTES

    workspace.model.script = script
    started = await workspace.start(agent="draft", input={**BRIEF, "document_id": target})
    async with workspace.working():
        run = await workspace.until(started, "waiting", "failed")
    await decide(workspace, str(run["id"]), approve=True)
    async with workspace.working():
        await workspace.until(started)
    assert (await document(workspace, target))["content"] == "Changed by hand."


async def test_one_decision_writes_one_document(workspace: AgentWorkspace) -> None:
    both = Reply(calls=[Call("write", {"title": title, "content": "Text."}) for title in ("One", "Two")])
    run = await waiting(workspace, {}, both, WRITE, NOTES)
    assert len(listed(run, "pending")) == 2
    again = await decided(workspace, run, "waiting", "failed", "succeeded", approve=True)
    assert (again["status"], await documents(workspace)) == ("waiting", [])
    output_of(await decided(workspace, again, approve=True))
    assert [each["title"] for each in await documents(workspace)] == ["Terms"]


async def test_an_output_without_a_draft_is_sent_back(workspace: AgentWorkspace) -> None:
    run = await waiting(workspace, {}, NOTES, WRITE)
    assert run["status"] == "waiting"
    assert "Nothing is written yet" in complaint(workspace.model.asked[1])


async def test_an_invalid_draft_is_sent_back_before_approval(workspace: AgentWorkspace) -> None:
    run = await waiting(
        workspace, {}, calling("write", title=" ", content="Text."), calling("write", title="Terms", content=""), WRITE
    )
    assert "Terms" in str(run["pending"])


async def test_an_approved_draft_is_written_once_whatever_happens(workspace: AgentWorkspace) -> None:
    """The worker dies after the effect is committed and before its step is: the step runs again."""
    run = await waiting(workspace, {}, WRITE, Reply(wait=asyncio.Event()), NOTES)
    await decide(workspace, str(run["id"]), approve=True)
    async with workspace.working(), asyncio.timeout(60):
        while len(workspace.model.asked) < 2:
            await asyncio.sleep(0.02)
    unfinished = "UPDATE run_step SET finished_at = NULL, result = NULL WHERE run_id::text = $1 AND effect IS NOT NULL"
    assert await workspace.users.execute(unfinished, run["id"]) == "UPDATE 1"
    async with workspace.working():
        output = output_of(await workspace.until(str(run["id"])))
    [made] = await documents(workspace)
    assert output["document_id"] == made["id"]
    tried = "SELECT attempts FROM run_step WHERE run_id::text = $1 AND effect IS NOT NULL"
    assert [row["attempts"] for row in await workspace.users.fetch(tried, run["id"])] == [2]


async def test_a_draft_goes_on_from_an_earlier_one(workspace: AgentWorkspace) -> None:
    """The earlier decision does not apply to the new draft."""
    first = await decided(workspace, await waiting(workspace, {}, WRITE, NOTES), approve=True)
    made = output_of(first)["document_id"]
    workspace.model.says(reads(str(made)), calling("write", title="Terms", content="Shorter."), NOTES)
    given = {"brief": "Shorter.", "document_id": made}
    started = await workspace.start(agent="draft", input=given, continues=first["id"])
    async with workspace.working():
        run = await workspace.until(started, "waiting", "failed", "succeeded")
    assert run["status"] == "waiting"
    output = output_of(await decided(workspace, run, approve=True))
    assert (output["document_id"], output["version"]) == (made, 2)


async def test_a_draft_above_the_quota_of_documents_is_not_written(workspace: AgentWorkspace) -> None:
    run = await waiting(workspace, {}, WRITE, final(notes="Nothing.", status="refused", document_id=None, version=None))
    await workspace.users.execute(
        "INSERT INTO project_quota (project_id, quota, most) VALUES ($1, 'documents', 0)", workspace.project
    )
    ended = await decided(workspace, run, approve=True)
    assert ended["status"] in ("failed", "succeeded")
    assert "The quota of documents is used up." in str(workspace.model.asked[-1])
    assert await documents(workspace) == []

"""Shared by the shipped agents: allowed documents, reading limits, and deleted documents."""

from __future__ import annotations

import pytest

from partywall.features.agents.builtin import document_pages
from tests.features.agents.builtin.runs import CONTRACT, complaint, listed, output_of, run
from tests.features.agents.builtin.test_answer import SILENT, cited
from tests.features.agents.builtin.test_draft import NOTES, WRITE, waiting
from tests.features.agents.builtin.test_summarise import reads, summary
from tests.features.runs.agent_workspace import AgentWorkspace, Json, code_of, used_by
from tests.features.runs.model_server import Reply, calling, final
from tests.features.runs.test_approval import decide
from tests.features.runs.test_injection import index

SCHEMA = {"type": "object"}
NOTHING = final(items=[])
SEARCH = calling("search", query="delivery")


async def delete(workspace: AgentWorkspace, document: str) -> None:
    assert (await workspace.owner.client.delete(f"{workspace.url}/documents/{document}")).status_code == 204


async def test_a_summary_names_the_documents_of_its_own_run_alone(workspace: AgentWorkspace) -> None:
    earlier, given = await workspace.document("Earlier", CONTRACT), await workspace.document("Given", CONTRACT)
    workspace.model.says(reads(earlier), summary(earlier))
    first = await run(workspace, "summarise", document_ids=[earlier])
    workspace.model.says(reads(given), summary(given, earlier), summary(given))
    output = output_of(await run(workspace, "summarise", document_ids=[given], continues=first["id"]))
    assert [each["document_id"] for each in listed(output, "key_points")] == [given]
    assert [each["document_id"] for each in listed(output, "documents")] == [given]
    assert f"names the document {earlier}" in complaint(workspace.model.asked[2])


async def test_an_extraction_names_the_documents_of_its_own_run_alone(workspace: AgentWorkspace) -> None:
    earlier, given = await workspace.document("Earlier", CONTRACT), await workspace.document("Given", CONTRACT)
    workspace.model.says(reads(earlier), NOTHING)
    first = await run(workspace, "extract", document_ids=[earlier], schema=SCHEMA)
    workspace.model.says(reads(given), NOTHING)
    output = output_of(await run(workspace, "extract", document_ids=[given], schema=SCHEMA, continues=first["id"]))
    assert [each["document_id"] for each in listed(output, "documents")] == [given]


async def test_what_an_earlier_run_has_read_need_not_be_read_again(workspace: AgentWorkspace) -> None:
    document = await workspace.document("Contract", CONTRACT)
    workspace.model.says(reads(document), summary(document))
    first = await run(workspace, "summarise", document_ids=[document])
    workspace.model.says(summary(document))
    output = output_of(await run(workspace, "summarise", document_ids=[document], continues=first["id"]))
    assert listed(output, "documents")[0]["read"] == len(CONTRACT)


GONE: dict[str, tuple[Json, Reply]] = {
    "answer": ({"question": "When?"}, SILENT),
    "summarise": ({}, summary()),
    "extract": ({"schema": SCHEMA}, NOTHING),
    "draft": ({"brief": "Terms."}, NOTES),
}


@pytest.mark.parametrize("agent", GONE)
async def test_a_given_document_deleted_before_it_is_read_fails_the_run(workspace: AgentWorkspace, agent: str) -> None:
    document = await workspace.document("Contract", CONTRACT)
    given, ending = GONE[agent]
    workspace.model.says(reads(document), ending)
    started = await workspace.start(agent=agent, input={"document_ids": [document], **given})
    await delete(workspace, document)
    async with workspace.working():
        found = await workspace.until(started)
    assert (code_of(found), used_by(found)["model_calls"]) == ("document_not_found", 1)
    assert document in str(found["error"])


@pytest.mark.parametrize("agent", ["summarise", "extract"])
async def test_a_given_document_that_is_gone_need_not_be_asked_for_first(workspace: AgentWorkspace, agent: str) -> None:
    document = await workspace.document("Contract", CONTRACT)
    workspace.model.says(summary(document) if agent == "summarise" else NOTHING)
    started = await workspace.start(agent=agent, input={"document_ids": [document], **GONE[agent][0]})
    await delete(workspace, document)
    async with workspace.working():
        found = await workspace.until(started)
    assert (code_of(found), used_by(found)["model_calls"]) == ("document_not_found", 1)


async def test_a_given_document_deleted_before_it_is_cited_fails_the_run(workspace: AgentWorkspace) -> None:
    document = await workspace.document("Contract", CONTRACT)
    workspace.model.says(cited(document))
    started = await workspace.start(agent="answer", input={"question": "When?", "document_ids": [document]})
    await delete(workspace, document)
    async with workspace.working():
        found = await workspace.until(started)
    assert (code_of(found), used_by(found)["model_calls"]) == ("document_not_found", 1)


async def test_a_deleted_document_that_the_model_chose_is_reported_to_the_model(workspace: AgentWorkspace) -> None:
    document = await workspace.document("Contract", CONTRACT)
    await delete(workspace, document)
    workspace.model.says(reads(document), cited(document), SILENT)
    output_of(await run(workspace, "answer", question="When?"))
    assert "No such document" in workspace.model.asked[1].tool_results[0]
    assert f"There is no document {document}" in complaint(workspace.model.asked[2])


async def test_a_document_deleted_before_the_decision_is_not_rewritten(workspace: AgentWorkspace) -> None:
    target = await workspace.document("Contract", CONTRACT)
    pending = await waiting(workspace, {"document_id": target}, reads(target), WRITE, NOTES)
    await delete(workspace, target)
    await decide(workspace, str(pending["id"]), approve=True)
    async with workspace.working():
        found = await workspace.until(str(pending["id"]))
    assert (code_of(found), used_by(found)["model_calls"]) == ("document_not_found", 2)


async def test_a_document_that_is_gone_unread_is_not_rewritten(workspace: AgentWorkspace) -> None:
    target = await workspace.document("Contract", CONTRACT)
    workspace.model.says(NOTES)
    started = await workspace.start(agent="draft", input={"brief": "Terms.", "document_id": target})
    await delete(workspace, target)
    async with workspace.working():
        found = await workspace.until(started)
    assert (code_of(found), used_by(found)["model_calls"]) == ("document_not_found", 1)


async def test_searches_count_towards_the_limit_of_a_conversation(
    workspace: AgentWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for several searches in one answer of the model."""
    monkeypatch.setattr(document_pages, "MOST_CHARACTERS", 36_000)
    for number in range(8):
        await workspace.document(f"Terms {number}", f"Case {number}. " + "The supplier pays for late delivery. " * 40)
    await index(workspace)
    workspace.model.says(Reply(calls=[*SEARCH.calls] * 3), *[SEARCH] * 5, SILENT)
    output_of(await run(workspace, "answer", question="When?"))
    answers = workspace.model.asked[-1].tool_results
    held = [each for each in answers if "late delivery" in each]
    assert len(answers) == 8
    assert answers[:2] == held[:2]
    assert sum(each.count("The supplier pays for late delivery. ") for each in held) * 37 <= 36_000
    assert "can read no more, nor search" in answers[2]
    assert "can read no more, nor search" in answers[-1]


async def test_what_was_found_leaves_less_to_read(workspace: AgentWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_pages, "MOST_CHARACTERS", 16_000 + len(CONTRACT))
    monkeypatch.setattr(document_pages, "PAGE_CHARACTERS", 16_000)
    document = await workspace.document("Contract", CONTRACT)
    await index(workspace)
    workspace.model.says(SEARCH, reads(document), reads(document), SILENT)
    output_of(await run(workspace, "answer", question="When?"))
    assert ["can read no more" in each for each in workspace.model.asked[-1].tool_results] == [False, False, True]


async def test_a_rejection_without_a_comment_has_no_comment(workspace: AgentWorkspace) -> None:
    pending = await waiting(workspace, {}, WRITE, NOTES)
    await decide(workspace, str(pending["id"]), approve=False)
    async with workspace.working():
        output = output_of(await workspace.until(str(pending["id"])))
    assert (output["status"], output["comment"]) == ("rejected", None)
    assert "A person has refused this." in workspace.model.asked[1].tool_results[0]

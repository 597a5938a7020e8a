from __future__ import annotations

import json
from uuid import uuid4

import pytest

from partywall.features.agents.builtin import document_pages
from tests.features.agents.builtin.runs import CONTRACT, complaint, listed, output_of, refusals, run
from tests.features.runs.agent_workspace import AgentWorkspace, code_of
from tests.features.runs.model_server import Call, Reply, calling, final
from tests.features.runs.test_injection import index


def summary(*documents: str, **fields: object) -> Reply:
    points = [{"text": "Ten days.", "document_id": each, "title": "Forged"} for each in documents]
    return final(title="Terms", summary="Delivery takes ten days.", key_points=points, **fields)


def reads(*documents: str) -> Reply:
    return Reply(calls=[Call("read", {"document_id": each}) for each in documents])


async def test_key_points_name_what_was_read(workspace: AgentWorkspace) -> None:
    one, two = await workspace.document("One", CONTRACT), await workspace.document("Two", "Nothing.")
    workspace.model.says(reads(one, two), summary(one, documents=[{"read": 10**9}]))
    output = output_of(await run(workspace, "summarise", document_ids=[one, two], focus="deadlines", language="en"))
    assert output["key_points"] == [{"text": "Ten days.", "document_id": one, "title": "One"}]
    assert output["documents"] == [
        {"document_id": one, "title": "One", "version": 1, "length": len(CONTRACT), "read": len(CONTRACT)},
        {"document_id": two, "title": "Two", "version": 1, "length": 8, "read": 8},
    ]
    assert "deadlines" in workspace.model.asked[0].prompt


async def test_a_document_is_read_to_its_end_first(workspace: AgentWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_pages, "PAGE_CHARACTERS", 10)
    document = await workspace.document("Long", "0123456789" * 3)
    rest = Reply(calls=[Call("read", {"document_id": document, "start": start}) for start in (5, 15, 25)])
    workspace.model.says(summary(document), reads(document), summary(document), rest, summary(document))
    output = output_of(await run(workspace, "summarise", document_ids=[document]))
    assert listed(output, "documents")[0]["read"] == 30
    assert document in complaint(workspace.model.asked[1])
    assert document in complaint(workspace.model.asked[3])


async def test_one_answer_cannot_read_more_than_a_conversation_may_hold(
    workspace: AgentWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The output reports the unread part, and the summary is accepted."""
    monkeypatch.setattr(document_pages, "PAGE_CHARACTERS", 10)
    monkeypatch.setattr(document_pages, "MOST_CHARACTERS", 30)
    long, other = await workspace.document("Long", "0123456789" * 100), await workspace.document("Other", "Text")
    many = Reply(calls=[Call("read", {"document_id": long, "start": start}) for start in range(0, 100, 10)])
    workspace.model.says(many, reads(other), summary(other), summary(long))
    output = output_of(await run(workspace, "summarise", document_ids=[long, other]))
    answers = workspace.model.asked[1].tool_results
    assert ["0123456789" in each for each in answers] == [True] * 3 + [False] * 7
    assert "can read no more" in answers[3]
    assert "have not read" in complaint(workspace.model.asked[3])
    assert [(each["title"], each["read"], each["length"]) for each in listed(output, "documents")] == [
        ("Long", 30, 1000), ("Other", 0, 4),
    ]  # fmt: skip


async def test_a_key_point_of_another_document_is_sent_back(workspace: AgentWorkspace) -> None:
    given, other = await workspace.document("Given", CONTRACT), await workspace.document("Other", CONTRACT)
    workspace.model.says(reads(given, other), summary(given, other), summary(given, str(uuid4())), summary(given))
    output = output_of(await run(workspace, "summarise", document_ids=[given]))
    assert [each["document_id"] for each in listed(output, "key_points")] == [given]
    assert "was not given to it" in workspace.model.asked[1].tool_results[1]
    assert len(workspace.model.asked) == 4


async def test_what_a_search_finds_is_summarised(workspace: AgentWorkspace) -> None:
    document = await workspace.document("Contract", CONTRACT)
    await index(workspace)
    workspace.model.says(calling("search", query="delivery"), reads(document), summary(document))
    output = output_of(await run(workspace, "summarise", query="delivery"))
    [found] = json.loads(workspace.model.asked[1].tool_results[0])
    assert (found["document_id"], found["title"]) == (document, "Contract")
    assert "ten days" in found["text"]
    assert [each["document_id"] for each in listed(output, "documents")] == [document]


async def test_a_search_that_finds_nothing_fails_the_run(workspace: AgentWorkspace) -> None:
    workspace.model.says(summary(str(uuid4())))
    assert code_of(await run(workspace, "summarise", query="delivery")) == "nothing_found"
    assert len(workspace.model.asked) == 1


async def test_a_model_that_finds_nothing_fails_the_run(workspace: AgentWorkspace) -> None:
    """The model is not asked to summarise nothing."""
    workspace.model.says(
        calling("search", query="deadlines"), final(title="Nothing", summary="Nothing.", key_points=[])
    )
    assert code_of(await run(workspace, "summarise", query="delivery")) == "nothing_found"
    assert len(workspace.model.asked) == 1


async def test_a_document_that_is_deleted_meanwhile_fails_the_run(
    workspace: AgentWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_pages, "MOST_CHARACTERS", 0)
    document = await workspace.document()
    workspace.model.says(summary(document))
    run_ = await workspace.start(agent="summarise", input={"document_ids": [document]})
    await workspace.owner.client.delete(f"{workspace.url}/documents/{document}")
    async with workspace.working():
        assert code_of(await workspace.until(run_)) == "document_not_found"


async def test_either_documents_or_a_query(workspace: AgentWorkspace) -> None:
    document = await workspace.document()
    assert await refusals(workspace, "summarise") == await refusals(
        workspace, "summarise", document_ids=[document], query="delivery"
    ) == {"/input": "Either document_ids or query is needed, and not both"}  # fmt: skip

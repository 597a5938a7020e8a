"""What the shipped agents have in common: which documents they may rest on, how much of them, and which are gone."""

from __future__ import annotations

import pytest

from partywall.features.agents.catalogue import reading
from tests.features.agents.bureau import Bureau, Json, code_of, used_by
from tests.features.agents.catalogue.desk import CONTRACT, complaint, listed, output_of, run
from tests.features.agents.catalogue.test_answer import SILENT, cited
from tests.features.agents.catalogue.test_draft import NOTES, WRITE, waiting
from tests.features.agents.catalogue.test_summarise import reads, summary
from tests.features.agents.model_server import Reply, calling, final
from tests.features.agents.test_approval import decide
from tests.features.agents.test_injection import index

SCHEMA = {"type": "object"}
NOTHING = final(items=[])
SEARCH = calling("search", query="delivery")


async def delete(bureau: Bureau, document: str) -> None:
    assert (await bureau.owner.client.delete(f"{bureau.url}/documents/{document}")).status_code == 204


async def test_a_summary_names_the_documents_of_its_own_run_alone(bureau: Bureau) -> None:
    earlier, given = await bureau.document("Earlier", CONTRACT), await bureau.document("Given", CONTRACT)
    bureau.model.says(reads(earlier), summary(earlier))
    first = await run(bureau, "summarise", document_ids=[earlier])
    bureau.model.says(reads(given), summary(given, earlier), summary(given))
    output = output_of(await run(bureau, "summarise", document_ids=[given], continues=first["id"]))
    assert [each["document_id"] for each in listed(output, "key_points")] == [given]
    assert [each["document_id"] for each in listed(output, "documents")] == [given]
    assert f"names the document {earlier}" in complaint(bureau.model.asked[2])


async def test_an_extraction_names_the_documents_of_its_own_run_alone(bureau: Bureau) -> None:
    earlier, given = await bureau.document("Earlier", CONTRACT), await bureau.document("Given", CONTRACT)
    bureau.model.says(reads(earlier), NOTHING)
    first = await run(bureau, "extract", document_ids=[earlier], schema=SCHEMA)
    bureau.model.says(reads(given), NOTHING)
    output = output_of(await run(bureau, "extract", document_ids=[given], schema=SCHEMA, continues=first["id"]))
    assert [each["document_id"] for each in listed(output, "documents")] == [given]


async def test_what_an_earlier_run_has_read_need_not_be_read_again(bureau: Bureau) -> None:
    document = await bureau.document("Contract", CONTRACT)
    bureau.model.says(reads(document), summary(document))
    first = await run(bureau, "summarise", document_ids=[document])
    bureau.model.says(summary(document))
    output = output_of(await run(bureau, "summarise", document_ids=[document], continues=first["id"]))
    assert listed(output, "documents")[0]["read"] == len(CONTRACT)


GONE: dict[str, tuple[Json, Reply]] = {
    "answer": ({"question": "When?"}, SILENT),
    "summarise": ({}, summary()),
    "extract": ({"schema": SCHEMA}, NOTHING),
    "draft": ({"brief": "Terms."}, NOTES),
}


@pytest.mark.parametrize("agent", GONE)
async def test_a_given_document_that_is_gone_when_it_is_read_fails_the_run_at_once(bureau: Bureau, agent: str) -> None:
    document = await bureau.document("Contract", CONTRACT)
    given, ending = GONE[agent]
    bureau.model.says(reads(document), ending)
    started = await bureau.start(agent=agent, input={"document_ids": [document], **given})
    await delete(bureau, document)
    async with bureau.working():
        found = await bureau.until(started)
    assert (code_of(found), used_by(found)["model_calls"]) == ("document_not_found", 1)
    assert document in str(found["error"])


@pytest.mark.parametrize("agent", ["summarise", "extract"])
async def test_a_given_document_that_is_gone_need_not_be_asked_for_first(bureau: Bureau, agent: str) -> None:
    document = await bureau.document("Contract", CONTRACT)
    bureau.model.says(summary(document) if agent == "summarise" else NOTHING)
    started = await bureau.start(agent=agent, input={"document_ids": [document], **GONE[agent][0]})
    await delete(bureau, document)
    async with bureau.working():
        found = await bureau.until(started)
    assert (code_of(found), used_by(found)["model_calls"]) == ("document_not_found", 1)


async def test_a_given_document_that_is_gone_when_it_is_cited_fails_the_run(bureau: Bureau) -> None:
    document = await bureau.document("Contract", CONTRACT)
    bureau.model.says(cited(document))
    started = await bureau.start(agent="answer", input={"question": "When?", "document_ids": [document]})
    await delete(bureau, document)
    async with bureau.working():
        found = await bureau.until(started)
    assert (code_of(found), used_by(found)["model_calls"]) == ("document_not_found", 1)


async def test_a_document_that_is_gone_and_that_the_model_chose_is_its_own_mistake(bureau: Bureau) -> None:
    document = await bureau.document("Contract", CONTRACT)
    await delete(bureau, document)
    bureau.model.says(reads(document), cited(document), SILENT)
    output_of(await run(bureau, "answer", question="When?"))
    assert "No such document" in bureau.model.asked[1].tool_results[0]
    assert f"There is no document {document}" in complaint(bureau.model.asked[2])


async def test_a_document_that_is_gone_by_the_time_of_the_decision_is_not_rewritten(bureau: Bureau) -> None:
    target = await bureau.document("Contract", CONTRACT)
    pending = await waiting(bureau, {"document_id": target}, reads(target), WRITE, NOTES)
    await delete(bureau, target)
    await decide(bureau, str(pending["id"]), approve=True)
    async with bureau.working():
        found = await bureau.until(str(pending["id"]))
    assert (code_of(found), used_by(found)["model_calls"]) == ("document_not_found", 2)


async def test_a_document_that_is_gone_unread_is_not_rewritten(bureau: Bureau) -> None:
    target = await bureau.document("Contract", CONTRACT)
    bureau.model.says(NOTES)
    started = await bureau.start(agent="draft", input={"brief": "Terms.", "document_id": target})
    await delete(bureau, target)
    async with bureau.working():
        found = await bureau.until(started)
    assert (code_of(found), used_by(found)["model_calls"]) == ("document_not_found", 1)


async def test_searches_take_of_what_a_talk_may_hold(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that one answer of the model asks for."""
    monkeypatch.setattr(reading, "MOST_CHARACTERS", 36_000)
    for number in range(8):
        await bureau.document(f"Terms {number}", "The supplier pays for late delivery. " * 40)
    await index(bureau)
    bureau.model.says(Reply(calls=[*SEARCH.calls] * 3), *[SEARCH] * 5, SILENT)
    output_of(await run(bureau, "answer", question="When?"))
    answers = bureau.model.asked[-1].tool_results
    held = [each for each in answers if "late delivery" in each]
    assert len(answers) == 8
    assert answers[:2] == held[:2]
    assert sum(each.count("The supplier pays for late delivery. ") for each in held) * 37 <= 36_000
    assert "can read no more, nor search" in answers[2]
    assert "can read no more, nor search" in answers[-1]


async def test_what_was_found_leaves_less_to_read(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_CHARACTERS", 16_000 + len(CONTRACT))
    monkeypatch.setattr(reading, "PAGE_CHARACTERS", 16_000)
    document = await bureau.document("Contract", CONTRACT)
    await index(bureau)
    bureau.model.says(SEARCH, reads(document), reads(document), SILENT)
    output_of(await run(bureau, "answer", question="When?"))
    assert ["can read no more" in each for each in bureau.model.asked[-1].tool_results] == [False, False, True]


async def test_a_refusal_without_words_is_not_given_any(bureau: Bureau) -> None:
    pending = await waiting(bureau, {}, WRITE, NOTES)
    await decide(bureau, str(pending["id"]), approve=False)
    async with bureau.working():
        output = output_of(await bureau.until(str(pending["id"])))
    assert (output["status"], output["comment"]) == ("rejected", None)
    assert "A person has refused this." in bureau.model.asked[1].tool_results[0]

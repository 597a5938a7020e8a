from __future__ import annotations

import asyncio
from threading import Event
from typing import cast
from uuid import uuid4

import pytest

from partywall.core.json_schema.checker import Checker
from partywall.core.resources import Resources
from partywall.features.agents.builtin.extract import _wrong_in
from partywall.features.agents.builtin.schemas import Extracted
from tests.core.json_schema.schemas import doubling, ladder
from tests.features.agents.builtin.runs import CONTRACT, complaint, listed, output_of, refusals, run
from tests.features.agents.builtin.test_summarise import reads
from tests.features.runs.agent_workspace import AgentWorkspace, Json, code_of
from tests.features.runs.model_server import Reply, calling, final

SCHEMA = {
    "type": "object",
    "properties": {"days": {"type": "integer", "minimum": 1}},
    "required": ["days"],
    "additionalProperties": False,
}


def found(*objects: tuple[str, Json]) -> Reply:
    return final(items=[{"document_id": document, "object": each} for document, each in objects])


async def test_objects_fit_the_callers_schema(workspace: AgentWorkspace) -> None:
    one, two = await workspace.document("One", CONTRACT), await workspace.document("Two", "Nothing.")
    workspace.model.says(
        reads(one, two), found((one, {"days": "ten"}), (one, {"weeks": 1})), found((one, {"days": 10}))
    )
    order = {"document_ids": [one, two], "schema": SCHEMA, "instructions": "Periods of delivery."}
    output = output_of(await run(workspace, "extract", **order))
    assert output["items"] == [{"document_id": one, "object": {"days": 10}}]
    assert [(each["title"], each["read"]) for each in listed(output, "documents")] == [
        ("One", len(CONTRACT)), ("Two", 8),
    ]  # fmt: skip
    told = complaint(workspace.model.asked[2])
    assert "items[0].object.days: 'ten' is not of type 'integer'" in told
    assert "items[1].object: 'days' is a required property" in told
    assert '"minimum": 1' in workspace.model.asked[0].prompt


async def test_an_object_is_of_a_document_that_was_given(workspace: AgentWorkspace) -> None:
    given, other = await workspace.document("Given", CONTRACT), await workspace.document("Other", CONTRACT)
    ten: Json = {"days": 10}
    workspace.model.says(reads(given, other), found((other, ten)), found((str(uuid4()), ten)), found((given, ten)))
    output = output_of(await run(workspace, "extract", document_ids=[given], schema=SCHEMA))
    assert output["items"] == [{"document_id": given, "object": {"days": 10}}]
    assert "not among those" in complaint(workspace.model.asked[2])
    assert "not among those" in complaint(workspace.model.asked[3])


async def test_nothing_found_is_an_answer_once_all_is_read(workspace: AgentWorkspace) -> None:
    document = await workspace.document("Given", CONTRACT)
    workspace.model.says(found(), reads(document), found())
    output = output_of(await run(workspace, "extract", document_ids=[document], schema=SCHEMA))
    assert output["items"] == []
    assert document in complaint(workspace.model.asked[1])


async def test_a_model_that_never_fits_the_schema_fails_the_run(workspace: AgentWorkspace) -> None:
    document = await workspace.document("Given", CONTRACT)
    workspace.model.says(found((document, {"days": 0})))
    assert code_of(await run(workspace, "extract", document_ids=[document], schema=SCHEMA)) == "output_invalid"


async def test_numbers_that_no_table_holds_are_refused(workspace: AgentWorkspace) -> None:
    document = await workspace.document("Given", CONTRACT)
    workspace.model.says(
        reads(document), found((document, {"a": float("inf")})), found((document, {"a": float("nan")})),
        found((document, {"a": 1.5})),
    )  # fmt: skip
    output = output_of(await run(workspace, "extract", document_ids=[document], schema={"type": "object"}))
    assert output["items"] == [{"document_id": document, "object": {"a": 1.5}}]
    assert "finite" in complaint(workspace.model.asked[2])
    assert "finite" in complaint(workspace.model.asked[3])


async def test_text_and_numbers_beyond_what_can_be_kept_are_no_output(workspace: AgentWorkspace) -> None:
    document = await workspace.document("Given", CONTRACT)
    workspace.model.says(
        reads(document),
        found((document, {"a\0": 1})),
        found((document, {"a": "\0"})),
        found((document, {"a": 10**200})),
        found((document, {"a": 1})),
    )
    output = output_of(await run(workspace, "extract", document_ids=[document], schema={"type": "object"}))
    assert output["items"] == [{"document_id": document, "object": {"a": 1}}]
    told = [complaint(asked) for asked in workspace.model.asked[2:]]
    assert ["U+0000" in told[0], "U+0000" in told[1], "100 digits" in told[2]] == [True] * 3


async def test_integers_of_any_length_are_told_kept_and_sent(workspace: AgentWorkspace) -> None:
    long, longer = 10**39 + 1, 10**3000
    document = await workspace.document("Given", CONTRACT)
    workspace.model.says(
        calling("read", document_id=document, start=long), calling("read", document_id=document, start=longer),
        reads(document), found((document, {"a": long})),
    )  # fmt: skip
    ended = await run(workspace, "extract", document_ids=[document], schema={"type": "object"})
    assert output_of(ended)["items"] == [{"document_id": document, "object": {"a": long}}]
    called = [data["arguments"] for kind, data in await workspace.events(str(ended["id"])) if kind == "tool_called"]
    assert [cast("Json", each).get("start") for each in called] == [long, "an integer of more than 200 digits", None]


async def test_a_cancelled_check_stops(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread ends too."""
    begun, ended = Event(), Event()

    def errors(checker: Checker, _: object) -> list[str]:
        begun.set()
        checker._stop.wait(20)
        ended.set()
        return []

    monkeypatch.setattr(Checker, "errors", errors)
    item = Extracted(document_id=uuid4(), object={})
    checking = asyncio.create_task(_wrong_in(resources.checks, [item], {"type": "object"}))
    await asyncio.to_thread(begun.wait, 60)
    checking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await checking
    assert await asyncio.to_thread(ended.wait, 10)


async def test_a_schema_that_costs_too_much_fails_the_run(workspace: AgentWorkspace) -> None:
    document = await workspace.document("Given", CONTRACT)
    workspace.model.says(reads(document), found((document, {"a": 1})))
    assert code_of(await run(workspace, "extract", document_ids=[document], schema=doubling(40))) == "schema_too_costly"


async def test_a_bad_schema_is_refused_when_the_run_is_started(workspace: AgentWorkspace) -> None:
    document = await workspace.document()
    given = {"document_ids": [document]}
    wrong = {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1/x"}}}
    deep: Json = {}
    for _ in range(40):
        deep = {"not": deep}
    assert list(await refusals(workspace, "extract", **given, schema=wrong)) == ["/input/schema/properties/a/$ref"]
    assert list(await refusals(workspace, "extract", **given, schema={"type": 1})) == ["/input/schema/type"]
    [nested] = (await workspace.post(agent="extract", input={**given, "schema": deep})).json()["errors"]
    assert nested["message"] == "Nested too deeply"
    for anything in ({}, {"type": ["object", "null"]}):
        assert list(await refusals(workspace, "extract", **given, schema=anything)) == ["/input/schema/type"]
    assert await refusals(workspace, "extract", **given, schema=ladder("allOf", {})) == {
        "/input/schema/type": "The schema describes an object, and nothing else"
    }
    assert "/input/schema" in await refusals(workspace, "extract", **given)
    assert "/input/document_ids" in await refusals(workspace, "extract", schema=SCHEMA)


@pytest.mark.parametrize(
    ("agent", "field", "given"),
    [
        ("answer", "question", {}),
        ("draft", "brief", {}),
        ("summarise", "focus", {"query": "delivery"}),
        ("summarise", "query", {}),
        ("extract", "instructions", {"schema": SCHEMA, "document_ids": [str(uuid4())]}),
    ],
)
async def test_no_text_that_is_given_is_blank_or_too_long(
    workspace: AgentWorkspace, agent: str, field: str, given: Json
) -> None:
    assert list(await refusals(workspace, agent, **{**given, field: " \n "})) == [f"/input/{field}"]
    assert (await refusals(workspace, agent, **{**given, field: "x" * 20_000}))[f"/input/{field}"].endswith(
        "characters"
    )

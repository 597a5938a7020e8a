"""JSON-RPC messages: the forms that clients send and accept."""

from __future__ import annotations

import json
from typing import Literal, cast

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from partywall.features.mcp.accept import AcceptedTypes
from partywall.features.mcp.flat_schema import flat_schema
from partywall.features.mcp.messages import MessageError, read_message
from partywall.features.mcp.tools import DESCRIBED
from tests.features.mcp.mcp_workspace import ENVELOPE, McpWorkspace, calling, message
from tests.features.runs.agent_workspace import Json

PARSE, REQUEST, PARAMS, METHOD, VERSION = -32700, -32600, -32602, -32601, -32022
JSON = {"Content-Type": "application/json"}


def saying(**members: object) -> bytes:
    return json.dumps({**message(), **members}).encode()


@pytest.mark.parametrize(
    ("body", "code", "message_id"),
    [
        (b"", PARSE, None),
        (b"{", PARSE, None),
        (b"[" * 4_000, PARSE, None),
        (b'{"jsonrpc": "2.0", "id": ' + b"1" * 5000 + b', "method": "ping"}', PARSE, None),
        (b'"\xff"', PARSE, None),
        ('{"jsonrpc": "2.0", "id": 1, "method": "ping"}'.encode("utf-16"), PARSE, None),
        (b'{"jsonrpc": "2.0", "id": NaN, "method": "ping"}', PARSE, None),
        (b"7", REQUEST, None),
        (b"[]", REQUEST, None),
        (b"[" + saying() + b"]", REQUEST, None),
        (b"{}", REQUEST, None),
        (b'{"jsonrpc": "2.0", "id": 1, "result": {}}', REQUEST, None),
        (saying(id=None), REQUEST, None),
        (saying(id=True), REQUEST, None),
        (saying(id=1.5), REQUEST, None),
        (saying(id=[1]), REQUEST, None),
        (saying(id="\ud800"), REQUEST, None),
        (b'{"jsonrpc": "2.0", "id": 1e999, "method": "ping"}', REQUEST, None),
        (saying(jsonrpc="1.0", id="a"), REQUEST, "a"),
        (saying(jsonrpc=2.0), REQUEST, 1),
        (saying(method=""), REQUEST, 1),
        (saying(method=None), REQUEST, 1),
        (saying(method=7), REQUEST, 1),
        (saying(method="x" * 201), REQUEST, 1),
        (saying(method="\ud800"), REQUEST, 1),
        (saying(params=[]), PARAMS, 1),
        (saying(params="text"), PARAMS, 1),
        (saying(params={"deep": ["\0"]}), PARAMS, 1),
        (saying(method="tools/call", params={"name": "x", "arguments": "\0"}), PARAMS, 1),
        (saying(method="tools/call", params={"name": "x", "arguments": [1]}), PARAMS, 1),
        (saying(method="tools/call", params={"name": "\ud800", "arguments": {}}), PARAMS, 1),
    ],
)
def test_what_is_no_message_has_an_error_of_its_own(body: bytes, code: int, message_id: object) -> None:
    with pytest.raises(MessageError) as found:
        read_message(body)
    assert found.value.body["id"] == message_id
    assert cast("Json", found.value.body["error"])["code"] == code
    json.dumps(found.value.body, ensure_ascii=False).encode()


def test_null_is_absent_and_a_whole_number_is_one() -> None:
    given = {"name": "search_documents", "arguments": None, "_meta": {"progressToken": 5.0, "other": None}}
    read = read_message(saying(id=7.0, method="tools/call", params=given))
    assert (read.id, read.arguments, read.params["_meta"]) == (7, {}, {"progressToken": 5})
    assert b'"id": 7,' in read.to_json()
    listing = read_message(saying(params={"cursor": "", "_meta": None}))
    assert listing.params == {}
    nothing = read_message(saying(params=None))
    assert nothing.params == read_message(b'{"jsonrpc": "2.0", "method": "x"}').params == {}


def test_arguments_are_left_to_the_tool() -> None:
    """Arguments are kept apart from the rest of the message and validated by the tool."""
    read = read_message(saying(method="tools/call", params={"name": "x", "arguments": {"q": "\ud800", "n": 1e308}}))
    assert read.arguments == {"q": "\ud800", "n": 1e308}
    assert read.to_json() == b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "x"}}'


@pytest.mark.parametrize(
    ("lines", "json_", "stream", "asked"),
    [
        ([], True, False, False),
        ([" "], True, False, False),
        (["*/*"], True, True, False),
        (["application/json"], True, False, False),
        (["application/*;q=0.5"], True, False, False),
        (["text/event-stream"], False, True, True),
        (["Text/*"], False, True, True),
        (["application/json, text/event-stream"], True, True, True),
        (["application/json", "text/event-stream"], True, True, True),
        (["application/json;q=0, */*"], False, True, False),
        (["text/event-stream; q=0.0, application/json"], True, False, False),
        (["text/html"], False, False, False),
    ],
)
def test_the_form_is_the_one_that_is_accepted(lines: list[str], json_: bool, stream: bool, asked: bool) -> None:
    assert AcceptedTypes.of(lines) == AcceptedTypes(json=json_, stream=stream, asked=asked)


def test_no_schema_of_a_tool_refers_elsewhere() -> None:
    for tool in DESCRIBED:
        described = json.dumps(tool.model_dump(by_alias=True))
        assert "$ref" not in described
        assert "$defs" not in described
        assert '"null"' not in json.dumps(tool.input_schema)


class Leaf(BaseModel):
    kind: Literal["leaf"]


class Branch(BaseModel):
    kind: Literal["branch"]
    left: Leaf | None = None


class Choice(BaseModel):
    discriminator: int = 0
    of: Leaf | Branch = Field(discriminator="kind")


class Endless(BaseModel):
    more: list[Endless]


def test_a_definition_stands_where_it_is_used() -> None:
    flat = flat_schema(Choice.model_json_schema())
    assert "$" not in json.dumps(flat)
    Draft202012Validator(flat).validate({"of": {"kind": "branch", "left": {"kind": "leaf"}}})
    for wrong in ({"of": {"kind": "branch", "left": {"kind": "stem"}}}, {"of": {"kind": "leaf"}, "discriminator": "a"}):
        assert not Draft202012Validator(flat).is_valid(wrong)
    with pytest.raises(ValueError, match="Endless"):
        flat_schema(Endless.model_json_schema())


async def test_the_schemas_of_agents_refer_nowhere_either(mcp_workspace: McpWorkspace) -> None:
    async with mcp_workspace.raw() as client:
        answer = await client.post(mcp_workspace.url(), json=calling("list_agents"))
    agents = answer.json()["result"]["structuredContent"]["items"]
    assert {"answer", "extract"} <= {agent["name"] for agent in agents}
    assert [agent["name"] for agent in agents if "$ref" in json.dumps(agent)] == []


async def test_what_is_wrong_is_answered_in_the_protocol(mcp_workspace: McpWorkspace) -> None:
    """An error answer repeats the id of the request."""
    cases: list[tuple[bytes, dict[str, str], int, int, object]] = [
        (b"{", {}, 400, PARSE, None),
        (b"", {}, 400, PARSE, None),
        (b"[" + saying() + b"]", {}, 400, REQUEST, None),
        (saying(id=None), {}, 400, REQUEST, None),
        (saying(jsonrpc="1.0"), {}, 400, REQUEST, 1),
        (saying(params=[]), {}, 400, PARAMS, 1),
        (saying(params={"cursor": "AAAA"}), {}, 200, PARAMS, 1),
        (saying(method="no/such/method", id="n"), {}, 200, METHOD, "n"),
        (saying(method="tools/call"), {}, 200, PARAMS, 1),
        (saying(method="tools/call", params={"name": 5}), {}, 200, PARAMS, 1),
        (saying(method="tools/call", params={"name": "nothing"}), {}, 200, PARAMS, 1),
        (saying(method="initialize", params={"protocolVersion": None}), {}, 200, PARAMS, 1),
        (saying(), {"MCP-Protocol-Version": "1999-01-01"}, 400, VERSION, 1),
        (saying(), {"Accept": "text/html"}, 406, REQUEST, 1),
    ]
    async with mcp_workspace.raw() as client:
        for body, headers, status, code, message_id in cases:
            answer = await client.post(mcp_workspace.url(), content=body, headers={**JSON, **headers})
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json"), answer.text
            said = answer.json()
            assert (said["jsonrpc"], said["id"], said["error"]["code"]) == ("2.0", message_id, code), answer.text
            assert "result" not in said
        for content_type in ("text/plain", ""):
            untyped = await client.post(mcp_workspace.url(), content=saying(), headers={"Content-Type": content_type})
            assert (untyped.status_code, untyped.json()["code"]) == (415, "unsupported_media_type")


async def test_requests_without_access_are_not_parsed(mcp_workspace: McpWorkspace) -> None:
    async with mcp_workspace.raw("") as client:
        for body in (b"{", saying(), b"[]"):
            answer = await client.post(mcp_workspace.url(), content=body, headers=JSON)
            assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


async def test_versions_are_negotiated_and_then_known(mcp_workspace: McpWorkspace) -> None:
    def hello(version: str) -> bytes:
        about = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "a client", "version": "1"}}
        return saying(method="initialize", params=about)

    async with mcp_workspace.raw() as client:
        for version, expected in (("1999-01-01", "2025-11-25"), ("2025-03-26", "2025-03-26")):
            for headers in ({}, {"MCP-Protocol-Version": version}, {"MCP-Protocol-Version": ""}):
                answer = await client.post(mcp_workspace.url(), content=hello(version), headers={**JSON, **headers})
                assert answer.json()["result"]["protocolVersion"] == expected, answer.text
        unknown = await client.post(mcp_workspace.url(), json=message(), headers={"MCP-Protocol-Version": "1999-01-01"})
        notified = await client.post(
            mcp_workspace.url(),
            json={"jsonrpc": "2.0", "method": "notifications/initialized"},
            headers={"MCP-Protocol-Version": "1999-01-01"},
        )
    data = unknown.json()["error"]["data"]
    assert (data["requested"], data["supported"][-1]) == ("1999-01-01", "2026-07-28")
    assert (notified.status_code, notified.json()["id"]) == (400, None)


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "text/event-stream"])
async def test_an_answer_has_the_form_that_the_client_reads(mcp_workspace: McpWorkspace, accept: str | None) -> None:
    modern = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}
    async with mcp_workspace.raw() as client:
        del client.headers["accept"]
        headers = {} if accept is None else {"Accept": accept}
        answers = [
            await client.post(mcp_workspace.url(), json=message(), headers=headers),
            await client.post(
                mcp_workspace.url(), json={**message(), "params": ENVELOPE}, headers={**headers, **modern}
            ),
        ]
        waited = await client.post(mcp_workspace.url(), json=calling("follow_run", run_id="no id"), headers=headers)
    for answer in (*answers, waited):
        streamed = accept == "text/event-stream"
        expected = "text/event-stream" if streamed else "application/json"
        assert answer.headers["content-type"].partition(";")[0] == expected
        [line] = [line for line in answer.text.splitlines() if "jsonrpc" in line]
        assert json.loads(line.removeprefix("data: ") if streamed else line)["id"] == 1
    assert "tools" in answers[0].text
    assert "validation_failed" in waited.text


async def test_what_a_client_leaves_out_it_may_write_as_null(mcp_workspace: McpWorkspace) -> None:
    """Integers may also be written as 5.0, as many languages do."""
    document = await mcp_workspace.workspace.document("Prices", "Ten euros.")
    run = await mcp_workspace.workspace.start()
    nothing = {"external_id": None, "status": None, "index_status": None, "q_title": None, "sort": None}
    calls: list[tuple[str, Json]] = [
        ("search_documents", {"q": "euros", "limit": 5.0, "mode": None, "group": None, "status": None}),
        ("list_documents", {"limit": 5.0, "cursor": "", **nothing}),
        ("list_documents", {"limit": None, "cursor": None, **nothing}),
        ("read_document", {"document_id": document, "start": 0.0, "length": 5.0}),
        ("read_document", {"document_id": document, "start": None, "length": None}),
        ("follow_run", {"run_id": run, "wait_seconds": 1.0}),
        (
            "start_run",
            {"agent": "assistant", "input": {"question": "When?"}, "continues": None, "idempotency_key": None},
        ),
    ]
    async with mcp_workspace.raw() as client:
        client.headers["accept"] = "application/json"
        for tool, arguments in calls:
            answer = await client.post(mcp_workspace.url(), json=calling(tool, **arguments))
            assert answer.json()["result"]["isError"] is False, answer.text
        without = await client.post(mcp_workspace.url(), json=message("tools/call", name="list_agents", arguments=None))
        required = await client.post(mcp_workspace.url(), json=calling("search_documents", q=None))
    assert without.json()["result"]["isError"] is False
    assert "validation_failed" in required.text

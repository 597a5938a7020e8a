"""Runs, decisions, and schemas that are costly to check."""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable
from uuid import uuid4

from bench.hostile.attack import Attack
from bench.hostile.hostile import Hostile, Json, NotSetUpError
from bench.hostile.names import HANG, MATCH, WRITE

type Run = Callable[[Hostile], Awaitable[None]]


def _start(agent: str, **given: object) -> Json:
    return {"agent": agent, "input": given}


async def hanging(hostile: Hostile) -> None:
    """36 runs in six projects with a slow model."""
    await hostile.set_up()
    projects = [hostile.project]
    try:
        while len(projects) < 6:
            projects.append(await hostile.new_project())
    except NotSetUpError:
        hostile.counts[f"{len(projects)} projects"] += 1
    body = _start("bench", task=HANG)
    lines = [hostile.ask("POST", f"/api/v1/projects/{each}/runs", body) for each in projects * 6]
    hostile.begin()
    await hostile.flood(lines)
    await hostile.wait()


async def many(hostile: Hostile) -> None:
    await hostile.set_up()
    hostile.begin()
    line = hostile.ask("POST", f"{hostile.here}/runs", _start("bench", task="Done."))
    await hostile.flood(itertools.repeat(line), connections=8, most=2000)


async def decisions(hostile: Hostile) -> None:
    """Decisions on a waiting run and on unknown runs, with and without `pending_id`."""
    await hostile.set_up()
    run = await hostile.call("POST", f"{hostile.here}/runs", _start("draft", brief=WRITE))
    bodies: list[Json] = [
        {"approve": True, "pending_id": str(uuid4())},
        {"approve": False},
        {"approve": True, "comment": "a" * 9000},
    ]
    lines = [hostile.ask("POST", f"{hostile.here}/runs/{run['id']}/decision", body) for body in bodies]
    lines.append(hostile.ask("POST", f"{hostile.here}/runs/{uuid4()}/decision", bodies[0]))
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=16, most=5000)


async def cancellations(hostile: Hostile) -> None:
    """Cancels, continues and lists runs concurrently."""
    await hostile.set_up()
    run = await hostile.call("POST", f"{hostile.here}/runs", _start("bench", task=HANG))
    lines = [
        hostile.ask("POST", f"{hostile.here}/runs/{run['id']}/cancel"),
        hostile.ask("POST", f"{hostile.here}/runs", {**_start("bench", task="Done."), "continues": run["id"]}),
        hostile.ask("GET", f"{hostile.here}/runs?limit=100&status=queued"),
        hostile.ask("GET", f"{hostile.here}/runs/{run['id']}"),
    ]
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=16, most=4000)


def extraction(*schemas: Json) -> Run:
    """The model answers with strings that are costly to match."""

    async def run(hostile: Hostile) -> None:
        await hostile.set_up()
        document = await hostile.new_document(MATCH)
        lines = [
            hostile.ask(
                "POST", f"{hostile.here}/runs", _start("extract", document_ids=[document], schema=s, instructions=MATCH)
            )
            for s in schemas
        ]
        hostile.begin()
        await hostile.flood(lines, connections=4)
        await hostile.wait()

    return run


def _pattern(pattern: str) -> Json:
    return {"type": "object", "properties": {"a": {"type": "string", "pattern": pattern}}}


def _deep(depth: int) -> Json:
    schema: Json = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def _wide(count: int) -> Json:
    return {"type": "object", "properties": {f"k{n}": {"type": "string", "enum": ["a", "b"]} for n in range(count)}}


def _referring() -> Json:
    """Each definition refers twice to the next."""
    names = range(30)
    doubled = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in names}
    return {"type": "object", "$defs": {**doubled, "d30": {}}, "properties": {"a": {"$ref": "#/$defs/d0"}}}


def costly(*schemas: Json, key: bool = False) -> Run:
    """64 concurrent requests, all refused. The document exists, so the schema is checked. `key` uses MCP."""

    async def run(hostile: Hostile) -> None:
        await hostile.set_up()
        document = await hostile.new_document("Text.")
        started = [_start("extract", document_ids=[document], schema=each) for each in schemas]
        if key:
            await _keyed(hostile)
            lines = [_called(hostile, each) for each in started]
        else:
            lines = [hostile.ask("POST", f"{hostile.here}/runs", each) for each in started]
        hostile.begin()
        await hostile.flood(itertools.cycle(lines), connections=64, most=5000)

    return run


def _called(hostile: Hostile, started: Json) -> bytes:
    call = rpc("tools/call", name="start_run", arguments={**started, "idempotency_key": str(uuid4())})
    return request_of(hostile, call, {"Accept": "application/json, text/event-stream"})


def _patterns(pattern: str) -> Json:
    """A schema in which all patterns are unique."""
    names = range(20)
    return {
        "type": "object", "properties": {f"p{n}": {"type": "string", "pattern": f"{pattern}{uuid4()}"} for n in names}
    }  # fmt: skip


def _fanning() -> Json:
    """A schema with 20 * 8 ** 20 paths."""
    names: Json = {f"d{n}": {"oneOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 8} for n in range(20)}
    return {"anyOf": [{"$ref": "#/$defs/d0"}] * 20, "$defs": {**names, "d20": {"type": "object"}}}


async def prompts(hostile: Hostile) -> None:
    """Inputs of the maximum size, and larger ones."""
    await hostile.set_up()
    texts = ("a" * 4000, "\u4e2d" * 4000, " " * 4000, "a" * 1_000_000)
    lines = [hostile.ask("POST", f"{hostile.here}/runs", _start("answer", question=text)) for text in texts]
    lines.append(
        hostile.ask("POST", f"{hostile.here}/runs", _start("answer", question="a", document_ids=[str(uuid4())] * 50))
    )
    lines.append(hostile.ask("POST", f"{hostile.here}/runs", _start("a" * 100_000)))
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=4, most=200)


def rpc(method: str, **params: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


async def _keyed(hostile: Hostile) -> None:
    """Replaces the account's token by a project key, which MCP requires."""
    await hostile.set_up()
    body = {"name": "a", "role": "editor"}
    hostile.token = str((await hostile.call("POST", f"{hostile.here}/api-keys", body))["secret"])


async def mcp(hostile: Hostile) -> None:
    """Invalid messages, batches and hostile arguments."""
    await _keyed(hostile)
    call = rpc("tools/call", name="search_documents", arguments={"q": "the " * 250, "query": "the " * 250})
    batch = b"[" + b",".join([call] * 2000) + b"]"
    bodies = [rpc("a" * 100_000), rpc("tools/call", name="a" * 100_000), call, batch, rpc("initialize"), b"[" * 30_000]
    bodies += [rpc("tools/call", name="read_document", arguments={"document_id": "a" * 30_000, "start": -(10**300)})]
    kinds = {"Accept": "application/json, text/event-stream"}
    lines = [request_of(hostile, body, kinds) for body in bodies]
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=8, most=1000)


async def mcp_following(hostile: Hostile) -> None:
    """100 calls that follow a slow run."""
    await _keyed(hostile)
    run = await hostile.call("POST", f"{hostile.here}/runs", _start("bench", task=HANG))
    call = rpc("tools/call", name="follow_run", arguments={"run_id": run["id"]})
    hostile.begin()
    await hostile.hold(100, request_of(hostile, call, {"Accept": "application/json, text/event-stream"}), addresses=10)


def request_of(hostile: Hostile, body: bytes, headers: dict[str, str]) -> bytes:
    return hostile.ask("POST", f"{hostile.here}/mcp", body, **headers)


PATTERNS = [_pattern(p) for p in ("^(a+)+$", "^(a|a)*$", "^(a?){40}a{40}$", "(.*a){20}", "^(([a-z])+.)+[A-Z]$")]
CLASSES = (r"\w{150}", r"\p{L}{150}", r"(?i)[\w.-]{99}", r"(\W{9}){9}", r"(?i)\p{Any}[\D]", r"\b\w{20}\b")

ATTACKS = (
    Attack("runs-hanging", 3, "36 runs in six projects, whose model takes 8 s", hanging, weight=3),
    Attack("runs-many", 4, "2,000 short runs", many),
    Attack("decisions", 6, "decisions on what was never shown", decisions),
    Attack("cancellations", 3, "cancelling, continuing, listing at once", cancellations),
    Attack("extract-patterns", 1, "schemas with catastrophic patterns", extraction(*PATTERNS)),
    Attack(
        "extract-schemas",
        1,
        "schemas 500 deep, 20,000 wide, doubling",
        extraction(_deep(500), _wide(20_000), _referring()),
    ),
    Attack("extract-classes", 1, "20 patterns of Unicode classes, 64 at once", costly(*map(_patterns, CLASSES))),
    Attack("extract-fans", 1, "a schema of 8 to the power of 20 ways, 64 at once", costly(_fanning())),
    Attack(
        "extract-fans-mcp", 1, "the same by MCP's start_run", costly(_fanning(), *map(_patterns, CLASSES), key=True)
    ),
    Attack("run-inputs", 2, "inputs of the largest size and beyond", prompts),
    Attack("mcp", 9, "broken messages, batches of 2,000, hostile arguments", mcp),
    Attack("mcp-following", 9, "100 calls that follow a slow run", mcp_following),
)

"""Prebuilt requests for the ordinary routes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from bench import load
from bench.seed import PASSWORD, TEXT, WORDS, document

# A separate account: frequent logins end its oldest sessions.
VISITOR: Final = "visitor@example.com"
BOUNDARY: Final = "bench"
FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = f"multipart/form-data; boundary={BOUNDARY}"
HTML: Final = f"<html><title>Invoice</title><body><h1>Invoice</h1><p>{' '.join(TEXT.split() * 8)}</p></body></html>"

type Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class BenchProject:
    """The project under test and its documents. Every write request is unique."""

    project: str
    documents: Sequence[str]
    runs: Sequence[str]
    headers: Headers
    chance: random.Random

    @property
    def path(self) -> str:
        return f"/api/v1/projects/{self.project}"

    def one(self) -> str:
        return f"{self.path}/documents/{self.chance.choice(self.documents)}"

    def run(self) -> str:
        return self.chance.choice(self.runs)

    def words(self) -> str:
        return " ".join(self.chance.choices(WORDS[-12:], k=3))

    def get(self, path: str) -> bytes:
        return load.request("GET", path, self.headers)

    def send(self, method: str, path: str, body: object) -> bytes:
        return load.request(method, path, self.headers, json.dumps(body).encode())


@dataclass(frozen=True, slots=True)
class Route:
    name: str
    make: Callable[[BenchProject], bytes]
    expected: load.Expected


def _log_in(_: BenchProject) -> bytes:
    form = urlencode({"grant_type": "password", "username": VISITOR, "password": PASSWORD})
    return load.request("POST", "/api/v1/auth/token", [], form.encode(), FORM)


def _create(target: BenchProject) -> bytes:
    return target.send("POST", f"{target.path}/documents", _text(target))


def _patch(target: BenchProject) -> bytes:
    return target.send("PATCH", target.one(), _text(target))


def _text(target: BenchProject) -> dict[str, str]:
    return document(target.chance, target.chance.randrange(10**6))


def _upload(target: BenchProject) -> bytes:
    """An HTML page of about 5 KB, which the server reads in a separate process."""
    page = HTML.replace("Invoice", f"Invoice {target.chance.randrange(10**9)}")
    part = f'Content-Disposition: form-data; name="file"; filename="a.html"\r\nContent-Type: text/html\r\n\r\n{page}'
    body = f"--{BOUNDARY}\r\n{part}\r\n--{BOUNDARY}--\r\n".encode()
    return load.request("POST", f"{target.path}/documents/upload", target.headers, body, MULTIPART)


def _search(mode: str) -> Route:
    def make(target: BenchProject) -> bytes:
        return target.get(f"{target.path}/search?mode={mode}&q={quote(target.words())}")

    return Route(f"search, {mode}", make, load.Expected(200, 100, b'"document_id":'))


def _start_run(target: BenchProject) -> bytes:
    return target.send("POST", f"{target.path}/runs", {"agent": "bench", "input": {"task": target.words()}})


def _ticket(target: BenchProject) -> bytes:
    return load.request("POST", f"{target.path}/events/ticket", target.headers)


def _call(method: str, params: object) -> Callable[[BenchProject], bytes]:
    def make(target: BenchProject) -> bytes:
        asking = [*target.headers, ("Accept", "application/json, text/event-stream")]
        body = {"jsonrpc": "2.0", "id": target.chance.randrange(10**6), "method": method, "params": params}
        return load.request("POST", f"{target.path}/mcp", asking, json.dumps(body).encode())

    return make


ROUTES: Final = (
    Route("log in", _log_in, load.Expected(200, 200, b'"access_token":')),
    Route("get the caller", lambda p: p.get("/api/v1/users/me"), load.Expected(200, 50, b'"email":')),
    Route("list projects", lambda p: p.get("/api/v1/projects"), load.Expected(200, 50, b'"items":')),
    Route("get a document", lambda p: p.get(p.one()), load.Expected(200, 500, b'"content":')),
    Route("list 50 documents", lambda p: p.get(f"{p.path}/documents?limit=50"), load.Expected(200, 5_000, b'"items":')),
    Route("count documents", lambda p: p.get(f"{p.path}/documents/stats"), load.Expected(200, 50, b'"by_index')),
    Route("create a document", _create, load.Expected(201, 500, b'"content":')),
    Route("change a document", _patch, load.Expected(200, 500, b'"content":')),
    Route("list versions", lambda p: p.get(f"{p.one()}/versions"), load.Expected(200, 50, b'"items":')),
    Route("get a version", lambda p: p.get(f"{p.one()}/versions/1"), load.Expected(200, 500, b'"content":')),
    Route("upload a file of 5 KB", _upload, load.Expected(201, 500, b'"title":')),
    _search("hybrid"),
    _search("text"),
    _search("vector"),
    Route("start a run", _start_run, load.Expected(202, 50, b'"queued"')),
    Route("get a run", lambda p: p.get(f"{p.path}/runs/{p.run()}"), load.Expected(200, 50, b'"agent":')),
    Route("list runs", lambda p: p.get(f"{p.path}/runs?limit=50"), load.Expected(200, 50, b'"items":')),
    Route("get a ticket", _ticket, load.Expected(200, 20, b"ticket")),
    Route("MCP: list the tools", _call("tools/list", {}), load.Expected(200, 500, b"search_documents")),
    Route(
        "MCP: search",
        _call("tools/call", {"name": "search_documents", "arguments": {"q": "invoice payment"}}),
        load.Expected(200, 100, b"document_id"),
    ),
)  # fmt: skip

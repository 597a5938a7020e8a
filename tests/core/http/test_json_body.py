"""The memory that a large body takes."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator

import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel
from starlette.types import Message

from partywall.core.http.body_limits import LARGE_BODY_BYTES
from partywall.core.http.body_memory import CharacterWidth, memory_of
from partywall.core.http.json_body import JsonRoute

MIB = 1024 * 1024


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


class Body(BaseModel):
    text: str


def application(seen: list[int]) -> FastAPI:
    router = APIRouter(route_class=JsonRoute)

    @router.post("/", max_body_size=LARGE_BODY_BYTES)
    async def take(body: Body) -> int:
        seen.append(tracemalloc.get_traced_memory()[0])
        return len(body.text)

    app = FastAPI()
    app.include_router(router)
    return app


async def answer_of(app: FastAPI, pieces: list[bytes]) -> tuple[int, bytes]:
    """Returns the status and the body; `pieces` are removed from the list as they are sent."""
    sent: list[Message] = []

    async def receive() -> Message:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(
        {
            "type": "http", "method": "POST", "path": "/", "raw_path": b"/", "root_path": "", "query_string": b"",
            "headers": [(b"content-type", b"application/json")], "state": {}, "http_version": "1.1", "scheme": "http",
        },
        receive,
        send,
    )  # fmt: skip
    return sent[0]["status"], sent[1]["body"]


@pytest.mark.usefixtures("traced")
async def test_only_the_values_of_a_large_body_stay_in_memory() -> None:
    seen: list[int] = []
    app = application(seen)
    await answer_of(app, [b'{"text": "x"}'])
    pieces = [b'{"text": "' + b"\\u0061" * (2 * MIB) + b'"}']
    before = tracemalloc.get_traced_memory()[0] - len(pieces[0])
    tracemalloc.reset_peak()
    assert await answer_of(app, pieces) == (200, str(2 * MIB).encode())
    assert seen[-1] - before < 4 * MIB, "the body is kept beside its values"
    assert tracemalloc.get_traced_memory()[1] - before < 20 * MIB, "the body of 12 MiB was copied"


async def test_a_large_body_that_is_no_json_is_refused() -> None:
    status, body = await answer_of(application([]), [b'{"text": "' + b"x" * MIB, b"}"])
    assert status == 422
    assert json.loads(body)["detail"][0]["type"] == "json_invalid"


@pytest.mark.parametrize(
    ("pieces", "width"),
    [
        ([b"plain", b"text"], 1),
        ([b"a\\nb"], 1),
        (["gr\u00fcn".encode()], 2),
        ([b"\\u4e2d"], 2),
        ([b"\\", b"u4e2d"], 2),
        (["\u4e2d".encode()], 2),
        ([b"plain", "\U0001f600".encode()], 4),
        ([b"\\ud83d\\ude00"], 4),
        ([b"\\uD83D\\uDE00"], 4),
    ],
)
def test_the_widest_character_decides_a_texts_width(pieces: list[bytes], width: int) -> None:
    seen = CharacterWidth()
    for piece in pieces:
        seen.note(piece)
    text = json.loads(b'"' + b"".join(pieces) + b'"')
    assert seen.bytes == width >= len(text.encode("utf-32-le")) / len(text) / 4
    assert memory_of(100, width) == 300 + 100 * width

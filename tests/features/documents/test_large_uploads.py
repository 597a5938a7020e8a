"""Large files: read in pieces, within limits of memory, size and turns."""

from __future__ import annotations

import asyncio
import hashlib
import tracemalloc
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import uuid4

import pytest
from fastapi import FastAPI

from partywall.core.budget import SharedBudget
from partywall.core.errors import ContentTooLargeError
from partywall.core.http.admission import targets
from partywall.core.http.body_limits import LARGE_BODY_BYTES
from partywall.core.resources import Resources
from partywall.core.text_process import processes
from partywall.core.text_process.processes import WAITING_EACH, TextLimits
from partywall.features.documents import upload
from partywall.features.documents.constants import LARGEST_INLINE_PAGE, PIECE_BYTES
from partywall.features.documents.exceptions import NotTextError
from partywall.features.documents.extraction import Utf8Decoder
from partywall.settings import Settings
from partywall.testing.users import Person, Users
from tests.features.documents.conftest import Workspace, files


async def test_a_file_that_is_too_large_is_refused(workspace: Workspace, settings: Settings) -> None:
    for size in (settings.blobs.max_upload_bytes + 1, 10 * 1024 * 1024 + 1):
        answer = await workspace.post("/upload", files={"file": ("a.txt", b"x" * size, "text/plain")})
        assert (answer.status_code, answer.json()["code"]) == (413, "content_too_large")
    assert files(settings, workspace) == []


def test_an_upload_may_be_as_large_as_the_settings_allow(app: FastAPI) -> None:
    """And a body of another route may not."""
    ceiling = 1024**3
    found = targets(app.routes, app.state.public, ceiling)
    largest = {each.max_bytes for each in found if each.path.match(f"/api/v1/projects/{uuid4()}/documents/upload")}
    assert largest == {ceiling}
    assert sum(each.max_bytes > LARGE_BODY_BYTES for each in found) == 1


async def test_large_files_pass_through_in_pieces(workspace: Workspace, resources: Resources) -> None:
    raw = "".join(lines()).encode()[: 3 * 1024 * 1024]
    answer = await workspace.post("/upload", files={"file": ("large.txt", raw, "text/plain")})
    made = answer.json()
    assert made["content_sha256"] == hashlib.sha256(raw).hexdigest()
    for params in ({}, {"original": True}):
        content = await workspace.get(f"/{made['id']}/content", params=params)
        assert content.content == raw


async def test_a_large_page_is_read_apart(workspace: Workspace) -> None:
    page = "<title>Large</title>" + "<p>Zażółć</p>" * 5000
    made = (await workspace.post("/upload", files={"file": ("a.html", page.encode(), "text/html")})).json()
    assert (made["title"], made["content"].count("Zażółć\n\n")) == ("Large", 4999)
    other = await workspace.post("/upload", files={"file": ("a.html", page.encode() + b"\xff", "text/html")})
    assert (other.status_code, other.json()["content"]) == (201, "")


@dataclass
class Received:
    """An uploaded file on disk: one piece repeated to a megabyte."""

    piece: bytes
    content_type: str
    size: int = 24 * 1024 * 1024
    filename: str = "a"
    _read: int = 0

    async def read(self, size: int = -1) -> bytes:
        assert 0 < size <= PIECE_BYTES
        if self._read >= self.size:
            return b""
        self._read += size
        return self.piece * (size // len(self.piece))

    async def seek(self, offset: int) -> None:
        self._read = offset


async def test_a_page_is_never_in_memory_as_a_whole(resources: Resources) -> None:
    page = Received(b"<!-- a page -->\n", "text/html")
    tracemalloc.start()
    try:
        source = await upload.open_source(page, "a.html", page.size, resources.texts)
        extracted = await source.read()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert extracted.content == ""
    assert peak < 8 * PIECE_BYTES


async def test_what_is_refused_is_not_read_to_its_end(resources: Resources) -> None:
    file = Received(b"too much", "text/plain")
    with pytest.raises(ContentTooLargeError):
        await (await upload.open_source(file, "a", file.size, resources.texts)).read()
    assert file._read <= PIECE_BYTES


def test_a_character_may_lie_on_two_pieces() -> None:
    decoder = Utf8Decoder()
    assert [decoder.decode(b"a\xe6\xbc"), decoder.decode(b"\xa2b"), decoder.decode(b"", last=True)] == [
        "a",
        "\u6f22b",
        "",
    ]
    with pytest.raises(NotTextError, match="at byte 6"):
        decoder.decode(b"c\xff")
    for last in (b"\xe6\xbc", b"\x00"):
        with pytest.raises(NotTextError):
            Utf8Decoder().decode(last, last=True)


@pytest.mark.parametrize(
    ("page", "seconds", "said"),
    [(b"<div>" * 300_000, 1, "1 seconds"), (b"<p>x" * 1_000_000, 60, "160 MB")],
    ids=["time", "memory"],
)
async def test_a_page_that_exceeds_the_limits_is_refused(
    workspace: Workspace, resources: Resources, monkeypatch: pytest.MonkeyPatch, page: bytes, seconds: int, said: str
) -> None:
    monkeypatch.setattr(processes, "_MAX_WAIT", 60)
    monkeypatch.setattr(resources.texts, "_limits", TextLimits(2, cpu_seconds=seconds, memory=160 * 1024 * 1024))
    answer = await workspace.post("/upload", files={"file": ("a.html", page, "text/html")})
    assert (answer.status_code, answer.json()["code"]) == (422, "text_too_costly")
    assert f"more than {said}" in answer.json()["detail"]
    assert (await workspace.get("")).json()["items"] == []


def lines() -> Iterator[str]:
    for number in range(200_000):
        yield f"Line {number} of a long text\n"


async def test_json_is_no_upload(users: Users) -> None:
    person = await users.person()
    answer = await person.client.post(f"/api/v1/projects/{await person.project()}/documents/upload", json={"file": "x"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_one_file_at_a_time(users: Users) -> None:
    person = await users.person()
    url = f"/api/v1/projects/{await person.project()}/documents"
    files = [("file", ("a.txt", b"one", "text/plain")), ("file", ("b.txt", b"two", "text/plain"))]
    answer = await person.client.post(f"{url}/upload", files=files)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/file")
    assert (await person.client.get(url)).json()["items"] == []


async def test_a_costly_page_waits_its_accounts_turn_and_no_other(users: Users, resources: Resources) -> None:
    """The account's turn covers all of its projects."""
    one, other = await users.person(), await users.person()
    busy, idle = await one.project(), await other.project()
    page = ("page.html", b"<p>" + b"words " * LARGEST_INLINE_PAGE + b"</p>", "text/html")
    async with AsyncExitStack() as held, asyncio.TaskGroup() as group:
        await held.enter_async_context(resources.texts.turns.hold(one.principal.tenant))
        waiting = [group.create_task(_wait_with(resources, one)) for _ in range(WAITING_EACH)]
        await asyncio.sleep(0)
        refused = await one.client.post(f"/api/v1/projects/{busy}/documents/upload", files={"file": page})
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
        assert refused.headers["retry-after"]
        taken = await other.client.post(f"/api/v1/projects/{idle}/documents/upload", files={"file": page})
        assert taken.status_code == 201, taken.text
        for task in waiting:
            task.cancel()
    freed = await one.client.post(f"/api/v1/projects/{busy}/documents/upload", files={"file": page})
    assert freed.status_code == 201, freed.text


async def _wait_with(resources: Resources, person: Person) -> None:
    async with resources.texts.turns.hold(person.principal.tenant):
        await asyncio.sleep(60)


async def test_a_large_text_waits_for_memory(
    workspace: Workspace, app: FastAPI, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upload is spooled to disk; memory is needed only when the text is read."""
    monkeypatch.setattr(upload, "TURN_SECONDS", 0.0)
    memory: SharedBudget[str] = app.state.body_memory.texts
    large = b"words " * 200_000
    async with memory.take("others", settings.http.body_memory_bytes - 2 * len(large)):
        refused = await workspace.post("/upload", files={"file": ("a.txt", large, "text/plain")})
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert int(refused.headers["retry-after"]) > 0
        assert (
            await workspace.post("/upload", files={"file": ("a.txt", large[:1000], "text/plain")})
        ).status_code == 201
    assert (await workspace.post("/upload", files={"file": ("a.txt", large, "text/plain")})).status_code == 201
    assert memory.taken == 0

from __future__ import annotations

import asyncio
import hashlib
import json
import tracemalloc
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI

from partywall.core.budget import SharedBudget
from partywall.core.errors import ContentTooLargeError
from partywall.core.resources import Resources
from partywall.core.text_process import processes
from partywall.core.text_process.processes import WAITING_EACH, TextLimits
from partywall.features.documents import upload
from partywall.features.documents.constants import LARGEST_INLINE_PAGE, PIECE_BYTES
from partywall.features.documents.exceptions import NotTextError
from partywall.features.documents.extraction import Utf8Decoder
from partywall.settings import Settings
from tests.features.documents.conftest import Inside, Workspace
from tests.users import Person, Users

PAGE = b"""<!doctype html><html><head><title> The  Page </title><style>p{}</style></head><body>
<h1>Heading</h1><p>One &amp; <b>two</b></p><script>alert(1)</script><h2>Next</h2><ul><li>a<li>b</ul></body></html>"""


def files(settings: Settings, workspace: Workspace) -> list[Path]:
    return [path for path in (settings.blob_directory / str(workspace.project)).rglob("*") if path.is_file()]


async def test_markdown_is_kept_as_it_is(workspace: Workspace, inside: Inside) -> None:
    raw = "\ufeff# A heading #\r\n\r\ntext \n".encode()
    data = {"external_id": "notes/a.md", "metadata": json.dumps({"a": [1]})}
    answer = await workspace.post("/upload", files={"file": ("notes/a.md", raw, "text/markdown")}, data=data)
    made = answer.json()
    assert answer.status_code == 201, answer.text
    assert (made["title"], made["media_type"], made["external_id"]) == ("A heading", "text/markdown", "notes/a.md")
    assert made["content"].encode() == raw
    assert (made["size"], made["content_sha256"]) == (len(raw), hashlib.sha256(raw).hexdigest())
    assert made["metadata"] == {"a": [1]}
    assert answer.headers["location"] == f"{workspace.url}/{made['id']}"
    assert (await workspace.client.get(answer.headers["location"])).json() == made
    assert await inside.pending() == [made["id"]]
    assert [type_ for type_, _, _ in await inside.events()] == ["document.created"]


async def test_html_becomes_markdown_and_the_page_is_kept(workspace: Workspace) -> None:
    made = (await workspace.post("/upload", files={"file": ("page.html", PAGE, "text/html")})).json()
    assert (made["title"], made["media_type"]) == ("The Page", "text/html")
    assert made["content"] == "# Heading\n\nOne & two\n\n## Next\n\n- a\n- b"
    original = await workspace.get(f"/{made['id']}/content", params={"original": True})
    assert (original.status_code, original.content) == (200, PAGE)
    assert original.headers["content-type"].startswith("text/html")
    assert original.headers["content-disposition"].startswith('attachment; filename="page.html"')
    assert original.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "raw", "warnings"),
    [
        ("a.html", b"<title>App</title><body><div id=root>&nbsp;</div><script>start()</script>", ["no_text"]),
        ("a.html", b"<p>x", []),
        ("a.html", b"", ["no_text"]),
        ("a.md", b"", ["no_text"]),
        ("a.txt", b"\r\n \t\xc2\xa0\n", ["no_text"]),
        ("a.txt", "\ufeff\u00a0\u200b\u2060\u3000".encode(), ["no_text"]),
        ("a.txt", "\u6f22".encode(), []),
    ],
)
async def test_a_file_without_text_says_so(workspace: Workspace, name: str, raw: bytes, warnings: list[str]) -> None:
    answer = await workspace.post("/upload", files={"file": (name, raw)})
    assert (answer.status_code, answer.json()["warnings"]) == (201, warnings), answer.text
    [listed] = (await workspace.get()).json()["items"]
    assert listed["warnings"] == warnings


@pytest.mark.parametrize(
    ("name", "declared", "raw", "title", "media_type"),
    [
        ("a.txt", "text/plain", b"# no heading", "a", "text/plain"),
        ("a.txt", "text/plain; charset=UTF-8", b"x", "a", "text/plain"),
        ("b.md", "text/plain", b"x\n\n## Deep ##\n", "Deep", "text/markdown"),
        ("c.markdown", "application/octet-stream", b"", "c", "text/markdown"),
        ("d.htm", "application/octet-stream", b"<p>x", "d", "text/html"),
        ("e.html", "text/html", b"<title> </title><p>x", "e", "text/html"),
        ("C:\\files\\f.txt", "text/plain", b"x", "f", "text/plain"),
        (".txt", "text/plain", b"x", ".txt", "text/plain"),
    ],
)
async def test_title_and_type_come_from_the_file(
    workspace: Workspace, name: str, declared: str, raw: bytes, title: str, media_type: str
) -> None:
    answer = await workspace.post("/upload", files={"file": (name, raw, declared)})
    assert answer.status_code == 201, answer.text
    assert (answer.json()["title"], answer.json()["media_type"]) == (title, media_type)


async def test_a_field_of_text_is_no_file(workspace: Workspace) -> None:
    answer = await workspace.post("/upload", files={"file": (None, b"text")})
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["pointer"], error["code"]) == (422, "/file", "wrong_type")
    assert error["message"] == "A file belongs here: send the part with a file name"


async def test_a_title_that_is_given_wins(workspace: Workspace) -> None:
    answer = await workspace.post(
        "/upload", files={"file": ("a.md", b"# H", "text/markdown")}, data={"title": " Mine "}
    )
    assert answer.json()["title"] == "Mine"


@pytest.mark.parametrize(
    ("name", "declared", "raw"),
    [
        ("a.bin", "application/octet-stream", b"text"),
        ("a.png", "image/png", b"\x89PNG\r\n\x1a\n\x00"),
        ("a.md", "text/markdown", b"a\x00b"),
        ("a.txt", "text/plain", b"a" * 70_000 + b"\x00"),
    ],
)
async def test_what_is_no_text_is_refused(
    workspace: Workspace, settings: Settings, name: str, declared: str, raw: bytes
) -> None:
    answer = await workspace.post("/upload", files={"file": (name, raw, declared)})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert (await workspace.get()).json()["items"] == []
    assert files(settings, workspace) == []


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ({"title": "x" * 501}, "/title"),
        ({"title": "a\x00b"}, ""),
        ({"external_id": "x" * 513}, "/external_id"),
        ({"metadata": "{"}, "/metadata"),
        ({"metadata": "[]"}, "/metadata"),
        ({"metadata": '{"a": NaN}'}, ""),
        ({"metadata": '{"a": "\\u0000"}'}, ""),
        ({"metadata": '{"a": 1e308}'}, "/metadata/a"),
        ({"metadata": "[" * 100_000}, "/metadata"),
        ({"metadata": json.dumps({"a": "x" * 70_000})}, "/metadata"),
        ({"owner": "me"}, "/owner"),
    ],
)
async def test_a_bad_field_is_refused(
    workspace: Workspace, settings: Settings, data: dict[str, str], pointer: str
) -> None:
    answer = await workspace.post("/upload", files={"file": ("a.txt", b"x", "text/plain")}, data=data)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), answer.text
    if pointer:
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert files(settings, workspace) == []


def named(name: bytes) -> bytes:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\nContent-Type: text/plain\r\n\r\n'
    return head % name + b"a\r\n--x--\r\n"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (b"a\x00.txt", "bad_character"),
        (b"a\x1b[31m.txt", "bad_character"),
        (b"dir\x01/a\x7f.txt", "bad_character"),
        ("\u202etxt.exe".encode(), "bad_character"),
        (b"\xff.txt", "bad_character"),
        (b"\xed\xa0\x80.txt", "bad_character"),
        (b"x" * 252 + b".txt", "too_long"),
        (b"x" * 10_000, None),
    ],
)
async def test_a_name_that_no_file_should_have_is_refused(
    workspace: Workspace, settings: Settings, name: bytes, code: str | None
) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await workspace.post("/upload", content=named(name), headers=headers)
    assert answer.status_code == (400 if code is None else 422), answer.text
    if code is not None:
        assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [("/file", code)]
    assert (await workspace.get()).json()["items"] == []
    assert files(settings, workspace) == []


async def test_the_name_that_is_kept_is_the_files_own(workspace: Workspace) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x; charset=UTF-8"}
    made = await workspace.post("/upload", content=named("../../etc/\u00fcb\u200bung.txt".encode()), headers=headers)
    answer = await workspace.get(f"/{made.json()['id']}/content", params={"original": True})
    assert answer.headers["content-disposition"].endswith("filename*=UTF-8''%C3%BCb%E2%80%8Bung.txt")


@pytest.mark.parametrize("charset", ["latin-1", "unicode_escape", "punycode", "undefined", "utf-8; charset=utf-16"])
async def test_a_form_in_another_charset_is_refused(workspace: Workspace, charset: str) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"}
    answer = await workspace.post("/upload", content=named(b"a.txt"), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Type: text/plain; charset=latin-1",
        b"Content-Type: text/plain\r\ncontent-type: text/plain; charset*=utf-16",
        b'Content-Type: text/plain; charset=" utf-7"',
        b"Content-Transfer-Encoding: base64",
        b"Content-Encoding: gzip",
    ],
)
@pytest.mark.parametrize("name", [b'title"', b'file"; filename="a.txt"'])
async def test_a_part_that_is_coded_or_in_another_charset_is_refused(
    workspace: Workspace, settings: Settings, name: bytes, header: bytes
) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="' + name + b"\r\n" + header + b"\r\n\r\n+AOk-\r\n"
    rest = named(b"a.txt") if name.startswith(b"title") else b"--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await workspace.post("/upload", content=part + rest, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type"), answer.text
    assert (await workspace.get()).json()["items"] == []
    assert files(settings, workspace) == []


async def test_a_part_may_say_that_it_is_as_it_is(workspace: Workspace) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="title"\r\nContent-Type: text/plain; charset="UTF-8"\r\n'
    plain = part + "Content-Transfer-Encoding: 8bit\r\n\r\ncaf\u00e9\r\n".encode()
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await workspace.post("/upload", content=plain + named(b"a.txt"), headers=headers)
    assert (answer.status_code, answer.json()["title"]) == (201, "caf\u00e9"), answer.text


@pytest.mark.parametrize(
    ("name", "value", "pointer", "code"),
    [
        (b"title", b"caf\xe9", "/title", "bad_character"),
        (b"external_id", b"\xff", "/external_id", "bad_character"),
        (b"metadata", b'{"a": "\xe9"}', "/metadata/a", "bad_character"),
        (b"metadata", b'{"\xe9": 1}', "/metadata", "bad_character"),
        (b"titl\xe9", b"x", "/titl?", "unknown_field"),
    ],
)
async def test_a_field_that_is_not_utf8_is_refused(
    workspace: Workspace, name: bytes, value: bytes, pointer: str, code: str
) -> None:
    """It must not be decoded as Latin-1."""
    field = b'--x\r\nContent-Disposition: form-data; name="' + name + b'"\r\n\r\n' + value + b"\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x; charset=utf-8"}
    answer = await workspace.post("/upload", content=field + named(b"a.txt"), headers=headers)
    assert answer.status_code == 422, answer.text
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]
    assert (await workspace.get()).json()["items"] == []


async def test_the_fields_of_a_form_are_utf8(workspace: Workspace) -> None:
    made = await workspace.post("/upload", files={"file": ("a.txt", b"x")}, data={"title": "caf\u00e9 \U0001f600"})
    assert (made.status_code, made.json()["title"]) == (201, "caf\u00e9 \U0001f600")


async def test_an_upload_needs_a_file(workspace: Workspace) -> None:
    assert (await workspace.post("/upload", data={"title": "x"})).status_code == 422
    assert (await workspace.post("/upload", json={"title": "x"})).status_code == 415
    assert (await workspace.post("/upload", data={"file": "x"})).status_code == 422
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await workspace.post("/upload", content=b"--y\r\nnonsense", headers=broken)).status_code in (400, 422)


async def test_a_file_that_is_too_large_is_refused(workspace: Workspace, settings: Settings) -> None:
    for size in (settings.blobs.max_upload_bytes + 1, 10 * 1024 * 1024 + 1):
        answer = await workspace.post("/upload", files={"file": ("a.txt", b"x" * size, "text/plain")})
        assert (answer.status_code, answer.json()["code"]) == (413, "content_too_large")
    assert files(settings, workspace) == []


async def test_a_refused_row_leaves_no_blob(workspace: Workspace, settings: Settings) -> None:
    await workspace.document(external_id="taken")
    for headers in ({}, {"Idempotency-Key": "k"}):
        answer = await workspace.post(
            "/upload",
            files={"file": ("a.txt", b"x", "text/plain")},
            data={"external_id": "taken"},
            headers=headers,
        )
        assert (answer.status_code, answer.json()["code"]) == (409, "external_id_taken")
    assert files(settings, workspace) == []


async def test_a_key_replays_the_upload_of_the_same_bytes(workspace: Workspace, settings: Settings) -> None:
    headers = {"Idempotency-Key": "once"}
    sent = {"file": ("a.txt", b"same bytes", "text/plain")}
    first = await workspace.post("/upload", files=sent, headers=headers)
    again = await workspace.post("/upload", files=sent, headers=headers)  # with another multipart boundary
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    other = await workspace.post("/upload", files={"file": ("a.txt", b"other bytes", "text/plain")}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    titled = await workspace.post("/upload", files=sent, data={"title": "x"}, headers=headers)
    assert titled.json()["code"] == "idempotency_key_reused"
    assert len(files(settings, workspace)) == 1


async def test_a_deleted_upload_releases_its_blob(workspace: Workspace, inside: Inside) -> None:
    made = (await workspace.post("/upload", files={"file": ("a.txt", b"x", "text/plain")})).json()
    kept = (await workspace.post("/upload", files={"file": ("a.txt", b"x", "text/plain")})).json()
    assert (await workspace.client.delete(f"{workspace.url}/{made['id']}")).status_code == 204
    [job] = await inside.jobs("release_blobs")
    assert len(job["keys"]) == 1  # type: ignore[arg-type]  # a list, by the payload's own type
    assert (await workspace.get(f"/{kept['id']}/content", params={"original": True})).content == b"x"


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

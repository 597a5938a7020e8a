from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.features.documents.conftest import Inside, Workspace
from tests.features.documents.made_files import docx, paragraph, pdf

TEXT = "Zażółć gęślą jaźń 🦊\r\n"
RAW = TEXT.encode()


async def path_of(workspace: Workspace, text: str = TEXT) -> str:
    made = await workspace.document(content=text)
    return f"/{made['id']}/content"


async def test_content_is_the_text_alone(workspace: Workspace) -> None:
    path = await path_of(workspace)
    answer = await workspace.get(path)
    assert (answer.status_code, answer.content) == (200, RAW)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-length"] == str(len(RAW))
    assert answer.headers["accept-ranges"] == "bytes"
    unchanged = await workspace.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    empty = await workspace.get(await path_of(workspace, ""))
    assert (empty.status_code, empty.content) == (200, b"")


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=3-7", 3, 8),
        ("bytes=3-", 3, len(RAW)),
        ("bytes=-4", len(RAW) - 4, len(RAW)),
        ("bytes=-9999", 0, len(RAW)),
        ("bytes=2-9999", 2, len(RAW)),
        ("Bytes = 1 - 2", 1, 3),
    ],
)
async def test_a_range_of_bytes_is_served(workspace: Workspace, header: str, start: int, end: int) -> None:
    answer = await workspace.get(await path_of(workspace), headers={"Range": header})
    assert (answer.status_code, answer.content) == (206, RAW[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(RAW)}"
    assert answer.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("header", ["bytes=9999-", "bytes=-0", f"bytes={len(RAW)}-"])
async def test_a_range_outside_is_refused(workspace: Workspace, header: str) -> None:
    answer = await workspace.get(await path_of(workspace), headers={"Range": header})
    assert (answer.status_code, answer.json()["code"]) == (416, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(RAW)}"


@pytest.mark.parametrize(
    "header", ["bytes=0-1,3-4", "bytes=", "bytes=-", "lines=1-2", "bytes=5-2", "nonsense", "bytes=\u0661-\u0662"]
)
async def test_of_any_other_range_the_whole_is_served(workspace: Workspace, header: str) -> None:
    answer = await workspace.get(await path_of(workspace), headers={"Range": header.encode()})
    assert (answer.status_code, answer.content) == (200, RAW)


async def test_a_range_of_something_older_is_ignored(workspace: Workspace) -> None:
    path = await path_of(workspace)
    tag = (await workspace.get(path)).headers["etag"]
    same = await workspace.get(path, headers={"Range": "bytes=0-3", "If-Range": tag})
    assert same.status_code == 206
    older = await workspace.get(path, headers={"Range": "bytes=0-3", "If-Range": '"older"'})
    assert (older.status_code, older.content) == (200, RAW)


async def test_ranges_reach_beyond_the_first_piece(workspace: Workspace) -> None:
    text = "".join(f"{number:07d}ż" for number in range(200_000))
    raw = text.encode()
    path = await path_of(workspace, text)
    assert (await workspace.get(path)).content == raw
    for start, end in ((65_530, 65_545), (65_536, 65_537), (1_000_000, 1_500_000)):
        answer = await workspace.get(path, headers={"Range": f"bytes={start}-{end - 1}"})
        assert (answer.status_code, answer.content) == (206, raw[start:end])


async def test_only_an_upload_has_an_original(workspace: Workspace) -> None:
    answer = await workspace.get(await path_of(workspace), params={"original": True})
    assert (answer.status_code, answer.json()["code"]) == (404, "original_not_found")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("übung '1' %41.txt", RAW),
        ("seite.html", b"<script>alert(1)</script><p>Text"),
        ("blatt.pdf", pdf([(10, "A page")])),
        ("leer.pdf", b""),
        ("brief", docx(paragraph("Text"))),
    ],
)
async def test_the_original_is_served_as_a_file(workspace: Workspace, name: str, data: bytes) -> None:
    made = (await workspace.post("/upload", files={"file": (name, data)})).json()
    path = f"/{made['id']}/content?original=true"
    whole = await workspace.get(path)
    assert (whole.status_code, whole.content) == (200, data)
    assert whole.headers["content-disposition"].startswith("attachment; ")
    assert whole.headers["content-disposition"].endswith(f"filename*=UTF-8''{quote(name, safe='')}")
    assert whole.headers["content-disposition"].isascii()
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["content-type"].partition(";")[0] == made["media_type"]
    tag, last = whole.headers["etag"], max(0, len(data) - 7)
    for header, status, start, end in (
        ("bytes=4-8", 206, 4, 9), ("bytes=-7", 206, last, len(data)), (f"bytes={len(data)}-", 416, 0, 0),
    ):  # fmt: skip
        part = await workspace.get(path, headers={"Range": header, "If-Range": tag})
        assert part.status_code == (status if data else 416)
        assert part.status_code == 416 or part.content == data[start:end]
        older = await workspace.get(path, headers={"Range": header, "If-Range": '"older"'})
        assert (older.status_code, older.content) == (200, data)


@pytest.mark.parametrize("original", [False, True])
async def test_head_ignores_a_range(workspace: Workspace, original: bool) -> None:
    made = (await workspace.post("/upload", files={"file": ("a.txt", RAW)})).json()
    url = f"{workspace.url}/{made['id']}/content"
    answer = await workspace.client.head(url, params={"original": original}, headers={"Range": "bytes=0-1"})
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, str(len(RAW)), b"")
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("media_type", ["text/plain", "text/markdown", "text/html"])
@pytest.mark.parametrize("status", [200, 206])
async def test_every_media_type_of_an_original_is_documented(
    workspace: Workspace, media_type: str, status: int
) -> None:
    made = (await workspace.post("/upload", files={"file": ("a", b"<p>x", media_type)})).json()
    ranged = {"Range": "bytes=0-1"} if status == 206 else {}
    answer = await workspace.get(f"/{made['id']}/content?original=true", headers=ranged)
    assert answer.status_code == status
    assert answer.headers["content-type"] == f"{media_type}; charset=utf-8"
    document = (await workspace.client.get("/openapi.json")).json()
    [path] = [each for each in document["paths"] if each.endswith("/documents/{document_id}/content")]
    assert media_type in document["paths"][path]["get"]["responses"][str(status)]["content"]


async def test_a_lost_blob_is_said_before_the_answer_begins(workspace: Workspace, inside: Inside) -> None:
    made = (await workspace.post("/upload", files={"file": ("a.txt", b"x", "text/plain")})).json()
    await inside.users.execute(
        "UPDATE document SET original_key = repeat('0', 32) WHERE id = $1::text::uuid", made["id"]
    )
    answer = await workspace.get(f"/{made['id']}/content", params={"original": True})
    assert answer.status_code == 404

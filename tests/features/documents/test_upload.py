from __future__ import annotations

import hashlib
import json

import pytest

from partywall.features.documents.constants import MAX_METADATA_BYTES
from partywall.features.documents.upsert import Upsert
from partywall.settings import Settings
from tests.features.documents.conftest import Inside, Workspace, files

PAGE = b"""<!doctype html><html lang=en><head><title> The  Page </title><style>p{}</style></head><body>
<h1>Heading</h1><p>One &amp; <b>two</b></p><script>alert(1)</script><h2>Next</h2><ul><li>a<li>b</ul></body></html>"""


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


async def test_front_matter_gives_title_and_metadata(workspace: Workspace) -> None:
    raw = b"---\ntitle: Harbour\ndate: 2026-11-30\ntags: [ships, tides]\nlang: de\n---\n# A heading\n"
    data = {"metadata": json.dumps({"tags": ["mine"], "a": 1})}
    made = (await workspace.post("/upload", files={"file": ("a.md", raw, "text/markdown")}, data=data)).json()
    assert (made["title"], made["content"].encode()) == ("Harbour", raw)
    assert made["metadata"] == {"date": "2026-11-30", "tags": ["mine"], "language": "de", "a": 1}
    full = {"metadata": json.dumps({"a": "x" * (MAX_METADATA_BYTES - 20)})}
    made = (await workspace.post("/upload", files={"file": ("a.md", raw, "text/markdown")}, data=full)).json()
    assert set(made["metadata"]) == {"a"}


async def test_html_becomes_markdown_and_the_page_is_kept(workspace: Workspace) -> None:
    made = (await workspace.post("/upload", files={"file": ("page.html", PAGE, "text/html")})).json()
    assert (made["title"], made["media_type"], made["metadata"]) == ("The Page", "text/html", {"language": "en"})
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
        ("a.md", b"\n", ["no_text"]),
        ("a.txt", b"\x01\x1f\x7f\xc2\x80", ["no_text"]),
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
        ("a.bin", "application/octet-stream", b"\x7fELF\x02\x00text"),
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


async def test_a_refused_row_leaves_no_blob(
    workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if another upload had replaced the document since the first look at it."""

    async def found(*_: object) -> None:
        pass

    monkeypatch.setattr(Upsert, "require_room", found)
    await workspace.document(external_id="taken")
    for headers in ({"If-Match": '"2-0"'}, {"If-Match": '"2-0"', "Idempotency-Key": "k"}):
        answer = await workspace.post(
            "/upload",
            files={"file": ("a.txt", b"x", "text/plain")},
            data={"external_id": "taken"},
            headers=headers,
        )
        assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
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
    assert (await workspace.client.delete(f"{workspace.url}/{made['id']}?permanent=true")).status_code == 204
    [job] = await inside.jobs("release_blobs")
    assert len(job["keys"]) == 1  # type: ignore[arg-type]  # a list, by the payload's own type
    assert (await workspace.get(f"/{kept['id']}/content", params={"original": True})).content == b"x"

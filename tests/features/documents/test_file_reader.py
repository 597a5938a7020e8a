from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import pytest

from partywall.core.resources import Resources
from partywall.core.text_process import processes
from partywall.core.text_process.processes import TextLimits
from partywall.features.documents.index_queue import WorkKind
from partywall.features.documents.jobs import ReadFile
from partywall.features.documents.readers.charsets import known
from partywall.settings import Settings
from tests.features.documents.conftest import Inside, Workspace, files
from tests.features.documents.made_files import FILES, docx, paragraph, pdf, replaced, xlsx
from tests.isolation.job_runner import index_once, run_job

LETTER = docx(paragraph("The walrus signs on Friday.", ""))


@dataclass(frozen=True, slots=True)
class Reading:
    """Uploads files, and reads them as a worker does."""

    workspace: Workspace
    inside: Inside
    resources: Resources

    async def upload(self, name: str, data: bytes, type_: str = "application/octet-stream", **fields: str) -> str:
        answer = await self.workspace.post("/upload", files={"file": (name, data, type_)}, data=fields)
        assert answer.status_code == 201, answer.text
        made: dict[str, object] = answer.json()
        assert (made["index_status"], made["content"], made["warnings"]) == ("pending", "", [])
        assert str(made["index_error"]).startswith("reading: ")
        return str(made["id"])

    async def read(self) -> None:
        for job in await self.inside.jobs("read_file"):
            await run_job(self.inside.users, self.resources, "read_file", ReadFile.model_validate(job))

    async def document(self, id_: str) -> dict[str, object]:
        found: dict[str, object] = (await self.workspace.get(f"/{id_}")).json()
        return found

    async def index(self) -> list[str]:
        indexed = [
            await index_once(self.resources, self.workspace.project, kind) for kind in (WorkKind.SMALL, WorkKind.LARGE)
        ]
        return [str(id_) for ids in indexed for id_ in ids]


@pytest.fixture
def reading(workspace: Workspace, inside: Inside, resources: Resources) -> Reading:
    return Reading(workspace, inside, resources)


async def test_a_file_is_read_by_a_worker_and_found(reading: Reading) -> None:
    made = await reading.upload("letters/walrus.docx", LETTER, external_id="walrus")
    before = await reading.workspace.get(f"/{made}")
    assert (await reading.workspace.get(f"/{made}/versions")).json()["items"] == []
    assert await reading.index() == []
    await reading.read()
    found = await reading.document(made)
    assert (found["title"], found["content"]) == ("walrus", "The walrus signs on Friday.")
    assert (found["index_status"], found["index_error"], found["version"]) == ("pending", None, 1)
    assert str(found["media_type"]).endswith("wordprocessingml.document")
    assert (await reading.workspace.get(f"/{made}")).headers["etag"] != before.headers["etag"]
    assert await reading.index() == [made]
    answer = await reading.workspace.client.get(
        f"/api/v1/projects/{reading.workspace.project}/search", params={"q": "walrus Friday"}
    )
    assert [hit["document_id"] for hit in answer.json()["items"]] == [made]
    original = await reading.workspace.get(f"/{made}/content?original=true")
    assert (original.content, original.headers["content-type"]) == (LETTER, found["media_type"])
    text = await reading.workspace.get(f"/{made}/content", headers={"Range": "bytes=4-9"})
    assert (text.status_code, text.text) == (206, "walrus")
    [version] = (await reading.workspace.get(f"/{made}/versions")).json()["items"]
    assert (version["number"], version["content_sha256"]) == (1, found["content_sha256"])
    [kept] = await reading.inside.users.fetch(
        "SELECT (SELECT count(*) FROM document_text WHERE document_id = d.id) AS former, history_bytes"
        " FROM document AS d WHERE id = $1", UUID(made),
    )  # fmt: skip
    assert tuple(kept) == (0, 0)


async def test_a_hit_names_the_page_and_the_section(reading: Reading) -> None:
    pages = pdf([(20, "Payment terms"), (10, "Within ten days.")], [(10, "A walrus pays at once.")])
    await reading.upload("terms.pdf", pages, "application/pdf", external_id="contracts/terms.pdf")
    stock = await reading.upload("stock", xlsx([["Herrings"]], [["Stock", "Walnuts"]]))
    await reading.read()
    await reading.index()
    url = f"/api/v1/projects/{reading.workspace.project}/search"
    answers = [await reading.workspace.client.get(url, params={"q": q}) for q in ("walrus pays", "stock of walnuts")]
    hits = [answer.json()["items"][0] for answer in answers]
    assert [(hit["page"], hit["section"]) for hit in hits] == [(2, "Payment terms"), (2, "Sheet 2")]
    assert [hit["external_id"] for hit in hits] == ["contracts/terms.pdf", None]
    made = await reading.document(hits[0]["document_id"])
    assert made["revision"] == hits[0]["revision"]
    assert str((await reading.document(stock))["media_type"]).endswith("spreadsheetml.sheet")


async def test_title_language_and_charset_come_from_the_file(reading: Reading) -> None:
    report = await reading.upload("r.pdf", pdf([(10, "A page")], title="Annual report"), "application/pdf")
    named = await reading.upload("r.pdf", pdf([(10, "A page")], title="Annual report"), title="Mine")
    wide = await reading.upload("n.txt", "Grüße".encode("utf-16"), metadata='{"language": "de", "a": 1}')
    marked = await reading.upload("m.md", "---\ntitle: Maß\ntags: a\n---\n".encode("utf-16"), "text/markdown")
    page = await reading.upload("p.html", "<title>Köln</title><p>Straße".encode("cp1252"), "text/html")
    await reading.read()
    assert [(await reading.document(id_))["title"] for id_ in (report, named)] == ["Annual report", "Mine"]
    assert (await reading.document(report))["metadata"] == {"language": "en-GB"}
    found = await reading.document(wide)
    assert (found["content"], found["metadata"]) == ("Grüße", {"language": "de", "a": 1, "charset": "utf-16le"})
    found = await reading.document(marked)
    assert (found["title"], found["metadata"]) == ("Maß", {"tags": ["a"], "charset": "utf-16le"})
    found = await reading.document(page)
    assert (found["title"], found["content"]) == ("Köln", "Straße")
    original = await reading.workspace.get(f"/{page}/content?original=true")
    assert original.headers["content-type"] == "text/html; charset=windows-1252"


async def test_a_file_is_read_in_the_encoding_that_its_part_names(reading: Reading) -> None:
    latin = "text/plain; charset=iso-8859-15"
    price = await reading.upload("price.txt", "5 € für Ålesund".encode("iso-8859-15"), latin, external_id="p")
    looks_like_utf8 = await reading.upload("a.txt", "Ã©".encode("iso-8859-15"), latin)
    marked = await reading.upload("m.txt", "ü".encode("utf-16"), latin)
    guessed = await reading.upload("g.txt", "für Ålesund".encode("cp1252"), "text/plain; charset=unicode_escape")
    await reading.read()
    read = [await reading.document(id_) for id_ in (price, looks_like_utf8, marked, guessed)]
    assert [each["content"] for each in read] == ["5 € für Ålesund", "Ã©", "ü", "für Ålesund"]
    charsets = [{"charset": name} for name in ("iso-8859-15", "iso-8859-15", "utf-16le", "windows-1252")]
    assert [each["metadata"] for each in read] == charsets
    file = ("price.txt", "цена".encode("koi8-r"), "text/plain; charset=KOI8-R")
    await reading.workspace.post("/upload", files={"file": file}, data={"external_id": "p"})
    await reading.read()
    changed = await reading.document(price)
    assert (changed["content"], changed["metadata"]) == ("цена", {"charset": "koi8-r"})


@pytest.mark.parametrize(
    "name", ["idna", "punycode", "unicode_escape", "base64", "zip", "rot13", "undefined", "x\0", ""]
)
def test_what_is_no_encoding_of_text_is_not_known(name: str) -> None:
    assert known(name) == ""


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.pdf", b"", "empty"),
        ("a.txt", b"", "empty"),
        ("a.pdf", b"%PDF-1.4 cut off", "damaged"),
        ("a.pdf", pdf([]), "no_text"),
        ("a.xlsx", xlsx([[]]), "no_text"),
        ("a.xlsx", (FILES / "password.xlsx").read_bytes(), "password_protected"),
    ],
)
async def test_a_file_that_cannot_be_read_fails_with_the_reason(
    reading: Reading, settings: Settings, name: str, data: bytes, code: str
) -> None:
    made = await reading.upload(name, data)
    await reading.read()
    found = await reading.document(made)
    assert found["index_status"] == "failed"
    assert str(found["index_error"]).startswith(f"{code}: ")
    assert ("scanned pages" in str(found["index_error"])) == (code == "no_text" and name == "a.pdf")
    events = await reading.inside.events()
    assert [(type_, data.get("reason")) for type_, _, data in events][1:] == [("document.failed", found["index_error"])]
    assert len(files(settings, reading.workspace)) == 1


async def test_a_failed_file_is_read_again_on_request(reading: Reading) -> None:
    made = await reading.upload("a.pdf", b"%PDF-1.4 cut off")
    await reading.read()
    await reading.inside.users.execute("DELETE FROM job WHERE kind = 'read_file'")
    again = (await reading.workspace.post(f"/{made}/reindex")).json()
    assert (again["index_status"], again["index_error"].partition(":")[0]) == ("pending", "reading")
    assert await reading.index() == []
    assert [job["document_id"] for job in await reading.inside.jobs("read_file")] == [made]
    await reading.read()
    assert str((await reading.document(made))["index_error"]).startswith("damaged: ")


async def test_a_text_that_a_caller_gave_meanwhile_stays(reading: Reading) -> None:
    made = await reading.upload("a.docx", LETTER)
    etag = (await reading.workspace.get(f"/{made}")).headers["etag"]
    change = {"content": "Given"}
    url = f"{reading.workspace.url}/{made}"
    assert (await reading.workspace.client.patch(url, json=change, headers={"If-Match": etag})).status_code == 200
    await reading.read()
    assert (await reading.document(made))["content"] == "Given"
    other = await reading.upload("b.docx", LETTER)
    await reading.workspace.client.patch(f"{reading.workspace.url}/{other}", json={"title": "Changed"})
    assert await reading.index() == [made]
    await reading.read()
    found = await reading.document(other)
    assert (found["title"], found["content"], found["version"]) == ("Changed", "The walrus signs on Friday.", 3)


async def test_a_key_replays_an_upload_that_is_still_read(reading: Reading, settings: Settings) -> None:
    sent = {"files": {"file": ("a.docx", LETTER)}, "headers": {"Idempotency-Key": "k1"}}
    first, second = [await reading.workspace.post("/upload", **sent) for _ in range(2)]
    assert first.json()["id"] == second.json()["id"]
    assert len(files(settings, reading.workspace)) == len(await reading.inside.jobs("read_file")) == 1


async def test_a_deleted_document_is_not_read(reading: Reading) -> None:
    made = await reading.upload("a.docx", LETTER)
    assert (await reading.workspace.client.delete(f"{reading.workspace.url}/{made}")).status_code == 204
    await reading.read()
    [row] = await reading.inside.users.fetch("SELECT content FROM document WHERE id = $1", UUID(made))
    assert row["content"] == ""


def long_document() -> bytes:
    return docx("<w:p/>" * 4_000_000)


def wide_sheet() -> bytes:
    """A cell in the last row and column, so that the sheet would take hundreds of gigabytes."""
    sheet = b'<c r="XFD1048576" t="inlineStr">'
    return replaced(xlsx([["a"], ["b"]]), "xl/worksheets/s1.xml", b'<c r="A2" t="inlineStr">', sheet)


@pytest.mark.parametrize(
    ("name", "make", "seconds", "memory"),
    [("a.docx", long_document, 1, 2048), ("a.xlsx", wide_sheet, 60, 512)],
    ids=["time", "memory"],
)
async def test_a_file_that_takes_too_much_fails_alone(
    reading: Reading,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    make: Callable[[], bytes],
    seconds: int,
    memory: int,
) -> None:
    monkeypatch.setattr(processes, "_MAX_WAIT", 60)
    monkeypatch.setattr(reading.resources.texts, "_limits", TextLimits(2, seconds, memory * 1024 * 1024))
    made, other = await reading.upload(name, make()), await reading.upload("b.pdf", pdf([(10, "A page")]))
    await reading.read()
    assert str((await reading.document(made))["index_error"]).partition(":")[0] == "too_costly"
    assert (await reading.document(other))["content"] == "A page"


async def test_a_file_that_kills_its_workers_fails(reading: Reading) -> None:
    made = await reading.upload("a.docx", LETTER)
    [job] = await reading.inside.jobs("read_file")
    payload = ReadFile.model_validate(job)
    await run_job(reading.inside.users, reading.resources, "read_file", payload, gives_up=True)
    assert str((await reading.document(made))["index_error"]).startswith("too_costly: ")

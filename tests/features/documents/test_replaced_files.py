"""An upload with the external id of a document replaces its file; the document keeps its id."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from partywall.core.jobs.context import JobContext
from partywall.core.resources import Resources
from partywall.core.tenancy import ProjectScope
from partywall.features.documents import file_reader
from partywall.features.documents.file_repository import FileToRead
from partywall.features.documents.index_queue import WorkKind
from partywall.features.documents.jobs import ReadFile, ReleaseBlobs
from partywall.features.documents.readers.archive import Entries
from partywall.features.documents.readers.file_text import FileText
from partywall.settings import Settings
from partywall.testing.users import Users
from tests.features.documents.conftest import Inside, Workspace, files
from tests.features.documents.made_files import docx, paragraph
from tests.features.documents.test_index_queue import indexed, settled, taken
from tests.isolation.job_runner import index_once, run_job

OLD = docx(paragraph("The walrus signs on Friday.", ""))
NEW = docx(paragraph("The penguin signs on Monday.", ""))
NEWER = docx(paragraph("The heron signs on Sunday.", ""))
DAMAGED = b"%PDF-1.4 cut off"


@dataclass(frozen=True, slots=True)
class Uploads:
    workspace: Workspace
    inside: Inside
    resources: Resources

    async def send(
        self,
        data: bytes,
        name: str = "a.txt",
        headers: dict[str, str] | None = None,
        media_type: str | None = None,
        **form: str,
    ) -> tuple[int, dict[str, object]]:
        files = {"file": (name, data) if media_type is None else (name, data, media_type)}
        answer = await self.workspace.post(
            "/upload", files=files, data={"external_id": "doc", **form}, headers=headers or {}
        )
        found: dict[str, object] = answer.json()
        return answer.status_code, found

    async def read(self) -> None:
        for job in await self.inside.jobs("read_file"):
            await run_job(self.inside.users, self.resources, "read_file", ReadFile.model_validate(job))
        await self.inside.users.execute("DELETE FROM job WHERE kind = 'read_file'")

    async def release(self) -> None:
        for job in await self.inside.jobs("release_blobs"):
            await run_job(self.inside.users, self.resources, "release_blobs", ReleaseBlobs.model_validate(job))

    async def index(self) -> None:
        await index_once(self.resources, self.workspace.project, WorkKind.SMALL)

    async def current(self) -> dict[str, object]:
        [found] = (await self.workspace.get("?external_id=doc")).json()["items"]
        whole: dict[str, object] = (await self.workspace.get(f"/{found['id']}")).json()
        return whole

    async def versions(self) -> list[int]:
        items = (await self.workspace.get(f"/{(await self.current())['id']}/versions")).json()["items"]
        return [each["number"] for each in items]

    async def found(self, words: str) -> list[str]:
        answer = await self.workspace.client.get(
            f"/api/v1/projects/{self.workspace.project}/search", params={"q": words, "mode": "text"}
        )
        return [hit["text"] for hit in answer.json()["items"]]


@pytest.fixture
def uploads(workspace: Workspace, inside: Inside, resources: Resources) -> Uploads:
    return Uploads(workspace, inside, resources)


async def test_a_page_is_replaced_and_keeps_its_id(uploads: Uploads, settings: Settings) -> None:
    status, first = await uploads.send(b"<title>Old</title><p>walrus", "a.html", metadata='{"a": 1}')
    assert status == 201
    status, second = await uploads.send(b"<title>New</title><p>penguin", "b.html")
    assert (status, second["id"], second["version"], second["revision"]) == (200, first["id"], 2, 2)
    assert (second["title"], second["content"], second["metadata"]) == ("New", "penguin", {"a": 1})
    assert await uploads.versions() == [2, 1]
    assert (await uploads.workspace.get(f"/{first['id']}/versions/1")).json()["content"] == "walrus"
    original = await uploads.workspace.get(f"/{first['id']}/content?original=true")
    assert original.content == b"<title>New</title><p>penguin"
    assert 'filename="b.html"' in original.headers["content-disposition"]
    assert [type_ for type_, _, _ in await uploads.inside.events()] == ["document.created", "document.updated"]
    await uploads.release()
    assert len(files(settings, uploads.workspace)) == 1


async def test_another_kind_and_given_fields(uploads: Uploads) -> None:
    """A document that was not uploaded can be replaced as well; without a title, the file's is taken."""
    made = await uploads.workspace.document(external_id="doc", status="published", metadata={"a": 1, "charset": "x"})
    status, page = await uploads.send(b"# Heading\n", "a.md")
    assert (status, page["id"], page["title"], page["media_type"]) == (200, made["id"], "Heading", "text/markdown")
    assert (page["status"], page["metadata"]) == ("published", {"a": 1})
    _, titled = await uploads.send(b"<p>x", "a.html", title="Mine", metadata='{"b": 2}')
    assert (titled["title"], titled["metadata"], titled["version"]) == ("Mine", {"b": 2}, 3)


async def test_the_same_file_makes_no_version(uploads: Uploads, settings: Settings) -> None:
    _, first = await uploads.send(b"<p>walrus", "a.html")
    assert await uploads.send(b"<p>walrus", "a.html") == (200, first)
    assert len(files(settings, uploads.workspace)) == 1
    status, tagged = await uploads.send(b"<p>walrus", "a.html", metadata='{"a": 1}')
    assert (status, tagged["metadata"], tagged["version"], tagged["revision"]) == (200, {"a": 1}, 1, 2)
    url = f"{uploads.workspace.url}/{first['id']}"
    assert (await uploads.workspace.client.patch(url, json={"content": "edited"})).status_code == 200
    status, back = await uploads.send(b"<p>walrus", "a.html")
    assert (status, back["content"], back["version"]) == (200, "walrus", 3), "the text was no longer the file's"
    _, other = await uploads.send(b"<i>walrus", "a.html")
    assert (other["version"], other["revision"]) == (3, 5), "another file with the same title and text"


async def test_the_old_text_is_found_until_the_new_file_is_read(uploads: Uploads) -> None:
    _, first = await uploads.send(OLD, "a.docx")
    await uploads.read()
    await uploads.index()
    status, waiting = await uploads.send(NEW, "b.docx")
    assert (status, waiting["id"], waiting["version"], waiting["title"]) == (200, first["id"], 1, "a")
    assert (waiting["content"], waiting["index_status"]) == ("The walrus signs on Friday.", "pending")
    assert str(waiting["index_error"]).startswith("reading: ")
    await uploads.index()
    assert await uploads.found("walrus") == ["The walrus signs on Friday."]
    original = await uploads.workspace.get(f"/{first['id']}/content?original=true")
    assert original.content == NEW
    await uploads.read()
    current = await uploads.current()
    assert (current["title"], current["content"]) == ("b", "The penguin signs on Monday.")
    assert (current["version"], await uploads.versions()) == (2, [2, 1])
    await uploads.index()
    assert (await uploads.found("walrus"), len(await uploads.found("penguin"))) == ([], 1)
    assert (await uploads.current())["index_status"] == "indexed"


async def test_the_same_file_is_read_again_in_another_encoding(uploads: Uploads) -> None:
    file = "Preis: 5 \u20ac".encode("iso-8859-15")
    for charset, read in (("iso-8859-1", "Preis: 5 \xa4"), ("iso-8859-15", "Preis: 5 \u20ac")):
        await uploads.send(file, media_type=f"text/plain; charset={charset}")
        await uploads.read()
        assert (await uploads.current())["content"] == read
    _, same = await uploads.send(file, media_type="text/plain; charset=latin-9")
    assert (same["index_error"], same["version"]) == (None, 2), "another name of the encoding is not another file"


async def test_the_same_file_is_not_read_again(uploads: Uploads) -> None:
    await uploads.send(OLD, "a.docx")
    status, waiting = await uploads.send(OLD, "a.docx")
    assert (status, waiting["revision"], str(waiting["index_error"])[:8]) == (200, 1, "reading:")
    await uploads.read()
    await uploads.index()
    assert (await uploads.send(OLD, "a.docx"))[1]["index_status"] == "indexed"
    assert await uploads.inside.jobs("read_file") == []


async def test_a_file_that_cannot_be_read_leaves_the_old_text(uploads: Uploads) -> None:
    _, first = await uploads.send(OLD, "a.docx")
    await uploads.read()
    await uploads.index()
    await uploads.send(DAMAGED, "a.pdf")
    await uploads.read()
    current = await uploads.current()
    assert (current["id"], current["index_status"], current["version"]) == (first["id"], "failed", 1)
    assert str(current["index_error"]).startswith("damaged: ")
    assert current["content"] == "The walrus signs on Friday."
    assert await uploads.found("walrus") == ["The walrus signs on Friday."]
    status, again = await uploads.send(DAMAGED, "a.pdf")
    assert (status, str(again["index_error"])[:8]) == (200, "reading:"), "a failed file is tried again"
    await uploads.send(NEW, "a.docx")
    await uploads.read()
    assert (await uploads.current())["content"] == "The penguin signs on Monday."


@pytest.mark.parametrize("newer", [NEWER, b"The heron signs on Sunday."], ids=["read later", "read at once"])
async def test_a_later_upload_overtakes_one_that_is_being_read(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch, newer: bytes
) -> None:
    """Whether the earlier reading ends well or badly."""
    read = file_reader._read
    sent: list[bytes] = []

    async def read_slowly(context: JobContext, scope: ProjectScope, file: FileToRead, first: int) -> FileText | Entries:
        if not sent:
            sent.append(newer)
            await uploads.send(newer, "c.docx" if newer is NEWER else "c.txt")
            await uploads.release()
        return await read(context, scope, file, first)

    await uploads.send(OLD, "a.docx")
    await uploads.read()
    monkeypatch.setattr(file_reader, "_read", read_slowly)
    for earlier in (NEW, DAMAGED):
        sent.clear()
        await uploads.send(earlier, "b.docx" if earlier is NEW else "b.pdf")
        await uploads.read()
        assert "penguin" not in str((await uploads.current())["content"])
        assert (await uploads.current())["index_status"] == "pending"
        await uploads.inside.users.execute("DELETE FROM job WHERE kind = 'release_blobs'")
        await uploads.workspace.post(f"/{(await uploads.current())['id']}/reindex")
        await uploads.read()
        assert (await uploads.current())["content"] == "The heron signs on Sunday."


async def test_indexing_the_old_text_does_not_hide_that_a_file_is_being_read(
    uploads: Uploads, resources: Resources, users: Users
) -> None:
    _, made = await uploads.send(b"walrus")
    lease = uuid4()
    [old] = await taken(uploads.workspace, resources, lease)
    await uploads.send(NEW, "b.docx")
    assert await settled(resources, uploads.workspace.project, lease, indexed(old.id)) == set()
    assert str((await uploads.current())["index_error"]).startswith("reading: ")
    assert await users.fetch("SELECT FROM indexing_attempt WHERE document_id = $1", UUID(str(made["id"]))) == []


async def test_uploads_of_one_external_id_at_once_make_one_document(uploads: Uploads, settings: Settings) -> None:
    answers = await asyncio.gather(*(uploads.send(f"text {n}".encode()) for n in range(6)))
    assert sorted(status for status, _ in answers) == [200] * 5 + [201]
    assert len({made["id"] for _, made in answers}) == 1
    assert sorted(int(str(made["version"])) for _, made in answers) == [1, 2, 3, 4, 5, 6]
    await uploads.release()
    assert len(files(settings, uploads.workspace)) == 1


async def test_if_match_names_the_revision_to_replace(uploads: Uploads, settings: Settings) -> None:
    assert (await uploads.send(b"x", headers={"If-Match": '"1-0"'}))[0] == 412
    await uploads.send(b"one")
    assert (await uploads.send(b"two", headers={"If-Match": '"1-0"'}))[0] == 200
    for data in (b"two", b"three"):
        status, refused = await uploads.send(data, headers={"If-Match": '"1-0"'})
        assert (status, refused["code"]) == (412, "precondition_failed")
    assert (await uploads.current())["content"] == "two"
    await uploads.release()
    assert len(files(settings, uploads.workspace)) == 1


async def test_a_key_replays_a_replacement(uploads: Uploads) -> None:
    await uploads.send(b"one")
    first = await uploads.send(b"two", headers={"Idempotency-Key": "k"})
    await uploads.send(b"three")
    assert await uploads.send(b"two", headers={"Idempotency-Key": "k"}) == first
    assert (await uploads.current())["content"] == "three"
    assert (await uploads.send(b"four", headers={"Idempotency-Key": "k"}))[1]["code"] == "idempotency_key_reused"


async def test_quotas_count_the_new_file_and_the_former_text(uploads: Uploads, users: Users) -> None:
    async def used() -> tuple[int, int]:
        [row] = await users.fetch(
            "SELECT documents, bytes FROM project_usage WHERE project_id = $1", uploads.workspace.project
        )
        return row["documents"], row["bytes"]

    await uploads.send(b"a" * 1000)
    before = await used()
    await uploads.send(b"b" * 500)
    assert (await used()) == (before[0], before[1] - 500 - 500 + 1000)


async def test_viewers_and_others_replace_nothing(uploads: Uploads, users: Users) -> None:
    await uploads.send(b"mine")
    other = await users.person()
    theirs = await other.client.post(
        f"/api/v1/projects/{await other.project()}/documents/upload",
        files={"file": ("a.txt", b"theirs")}, data={"external_id": "doc"},
    )  # fmt: skip
    assert theirs.status_code == 201
    assert (await uploads.current())["content"] == "mine"
    key = await uploads.workspace.client.post(
        f"/api/v1/projects/{uploads.workspace.project}/api-keys", json={"name": "k", "role": "viewer"}
    )
    headers = {"Authorization": f"Bearer {key.json()['secret']}"}
    assert (await uploads.send(b"viewer's", headers=headers))[0] == 403

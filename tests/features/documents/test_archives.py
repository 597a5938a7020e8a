"""The files of an uploaded archive become documents, and follow it when it changes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from partywall.core.db.session import AsyncSession
from partywall.core.jobs.context import JobContext
from partywall.core.jobs.payloads import ProjectJobPayload
from partywall.core.resources import Resources
from partywall.core.tenancy import SharedScope
from partywall.features.documents.index_queue import WorkKind
from partywall.features.documents.jobs import DeleteEntries, ReadFile
from partywall.settings import Settings
from tests.features.documents.conftest import Inside, Workspace, files
from tests.features.documents.made_files import packed, pdf
from tests.isolation.job_runner import index_once, run_job

DELETE_JOB = "DELETE FROM job WHERE kind = 'read_file' AND state <> 'running' AND payload = $1::text::jsonb"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
CONTENT: Mapping[str, str | bytes] = {
    "notes/walrus.md": "# The walrus\n\nIt signs on Friday.",
    "report.pdf": pdf([(10, "The penguin signs on Monday.")]),
    "LICENSE": "Free as the sea.",
    "photo.png": PNG,
    "inner.zip": packed({"x.txt": "x"}),
}


@dataclass(frozen=True, slots=True)
class Archives:
    """Uploads archives with the external id `arch`, and reads them as a worker does."""

    workspace: Workspace
    inside: Inside
    resources: Resources

    async def upload(self, content: Mapping[str, str | bytes]) -> str:
        sent = {"files": {"file": ("letters.zip", packed(content))}, "data": {"external_id": "arch"}}
        answer = await self.workspace.post("/upload", **sent)
        assert answer.status_code in (200, 201), answer.text
        made: dict[str, object] = answer.json()
        assert (made["index_status"], made["media_type"]) == ("pending", "application/zip")
        return str(made["id"])

    async def read(self, only: str | None = None) -> None:
        """Run jobs, and those that they enqueue, until none is left; `only` those of one document."""
        while jobs := [job for job in await self.inside.jobs("read_file") if only in (None, job["document_id"])]:
            for job in jobs:
                await self.inside.users.execute(DELETE_JOB, json.dumps(job))
                await run_job(self.inside.users, self.resources, "read_file", ReadFile.model_validate(job))

    async def documents(self) -> dict[str, dict[str, object]]:
        """By their external ids."""
        items = (await self.workspace.get("?limit=100")).json()["items"]
        return {item["external_id"]: (await self.workspace.get(f"/{item['id']}")).json() for item in items}

    async def texts(self) -> dict[str, object]:
        return {name: each["content"] for name, each in (await self.documents()).items() if name != "arch"}


@pytest.fixture
def archives(workspace: Workspace, inside: Inside, resources: Resources) -> Archives:
    return Archives(workspace, inside, resources)


async def test_the_files_of_an_archive_become_documents(archives: Archives) -> None:
    id_ = await archives.upload(CONTENT)
    await archives.read()
    found = await archives.documents()
    assert set(found) == {"arch", "arch/LICENSE", "arch/notes/walrus.md", "arch/report.pdf"}
    assert (found["arch"]["id"], found["arch"]["title"]) == (id_, "letters")
    assert found["arch"]["content"] == (
        "3 files of the archive are documents:\n- LICENSE\n- notes/walrus.md\n- report.pdf\n\n2 are not:\n"
        "- inner.zip: An archive in an archive is not read. Upload it on its own.\n"
        "- photo.png: Files of this kind cannot be read."
    )
    note = found["arch/notes/walrus.md"]
    assert (note["title"], note["content"]) == ("The walrus", CONTENT["notes/walrus.md"])
    assert (note["media_type"], note["version"], note["index_status"]) == ("text/markdown", 1, "pending")
    assert note["metadata"] == {"archive": "letters.zip", "archive_path": "notes/walrus.md"}
    original = await archives.workspace.get(f"/{found['arch/report.pdf']['id']}/content?original=true")
    assert original.content == CONTENT["report.pdf"]
    await index_once(archives.resources, archives.workspace.project, WorkKind.SMALL)
    url = f"/api/v1/projects/{archives.workspace.project}/search"
    hits = (await archives.workspace.client.get(url, params={"q": "penguin Monday"})).json()["items"]
    assert hits[0]["document_id"] == found["arch/report.pdf"]["id"]
    created = [subject for type_, subject, _ in await archives.inside.events() if type_ == "document.created"]
    assert created == [each["id"] for each in sorted(found.values(), key=lambda each: str(each["id"]))]


async def test_documents_follow_a_changed_archive(archives: Archives) -> None:
    await archives.upload({"a.txt": "one", "b.txt": "two", "c.txt": "three", "d.txt": "four"})
    await archives.read()
    before = await archives.documents()
    url = f"{archives.workspace.url}/{before['arch/a.txt']['id']}"
    (await archives.workspace.client.patch(url, json={"content": "A colleague's work"})).raise_for_status()
    moved = f"{archives.workspace.url}/{before['arch/d.txt']['id']}"
    (await archives.workspace.client.patch(moved, json={"external_id": "moved"})).raise_for_status()
    await archives.workspace.document(external_id="arch/mine.txt")
    await archives.upload({"a.txt": "one", "b.txt": "TWO", "d.txt": "FOUR", "e.txt": "five", "mine.txt": "taken"})
    await archives.read()
    after = await archives.documents()
    assert await archives.texts() == {
        "arch/a.txt": "A colleague's work", "arch/b.txt": "TWO", "moved": "FOUR", "arch/e.txt": "five",
        "arch/mine.txt": "Some content.",
    }  # fmt: skip
    assert after["arch/b.txt"]["id"] == before["arch/b.txt"]["id"]
    assert (after["arch/b.txt"]["version"], after["arch/a.txt"]["version"]) == (2, 2)
    assert after["moved"]["id"] == before["arch/d.txt"]["id"]
    assert "- mine.txt: Another document has the file's external id." in str(after["arch"]["content"])
    deleted = [subject for type_, subject, _ in await archives.inside.events() if type_ == "document.deleted"]
    assert deleted == [before["arch/c.txt"]["id"]]
    await archives.upload({"a.txt": "one", "b.txt": "TWO", "d.txt": "FOUR", "e.txt": "five"})
    await archives.read()
    assert (await archives.documents())["arch/b.txt"] == after["arch/b.txt"]


class _KilledError(Exception):
    pass


async def test_a_job_that_is_killed_between_any_two_transactions_goes_on(
    archives: Archives, monkeypatch: pytest.MonkeyPatch
) -> None:
    await archives.upload({"a.txt": "one", "b.txt": "two", "gone.txt": "gone"})
    await archives.read()
    await archives.upload({"a.txt": "ONE", "b.txt": "two", "c.txt": "three"})
    [job] = await archives.inside.jobs("read_file")
    left = 1
    whole = JobContext.begin

    @asynccontextmanager
    async def begin(context: JobContext, payload: ProjectJobPayload) -> AsyncIterator[tuple[AsyncSession, SharedScope]]:
        nonlocal left
        if not left:
            raise _KilledError
        left -= 1
        async with whole(context, payload) as opened:
            yield opened

    monkeypatch.setattr(JobContext, "begin", begin)
    kills = 0
    while True:
        left = 1
        try:
            payload = ReadFile.model_validate(job)
            await run_job(archives.inside.users, archives.resources, "read_file", payload)
            break
        except _KilledError:
            kills += 1
    assert kills == 4
    monkeypatch.undo()
    await archives.read()
    assert await archives.texts() == {"arch/a.txt": "ONE", "arch/b.txt": "two", "arch/c.txt": "three"}
    assert (await archives.documents())["arch/a.txt"]["version"] == 2


async def test_a_large_archive_is_read_by_several_jobs_and_the_newest_wins(archives: Archives) -> None:
    many = {f"{number:02}.txt": f"old {number}" for number in range(34)}
    id_ = await archives.upload(many)
    [first] = await archives.inside.jobs("read_file")
    await run_job(archives.inside.users, archives.resources, "read_file", ReadFile.model_validate(first))
    following = [job for job in await archives.inside.jobs("read_file") if job.get("first")]
    assert [job["first"] for job in following] == [32]
    await archives.upload({**many, "33.txt": "new 33"})
    [outdated] = following
    await run_job(archives.inside.users, archives.resources, "read_file", ReadFile.model_validate(outdated))
    assert len(await archives.documents()) == 1 + 32
    await archives.read(only=id_)
    found = await archives.documents()
    assert len(found) == 1 + 34
    newest = await archives.workspace.get(f"/{found['arch/33.txt']['id']}/content?original=true")
    assert newest.text == "new 33"


async def test_deleting_the_archive_deletes_the_documents_of_its_files(archives: Archives) -> None:
    id_ = await archives.upload({"a.txt": "one"})
    await archives.read()
    await archives.workspace.document(external_id="arch/other")
    (await archives.workspace.client.delete(f"{archives.workspace.url}/{id_}")).raise_for_status()
    [job] = await archives.inside.jobs("delete_entries")
    payload = DeleteEntries.model_validate(job)
    await run_job(archives.inside.users, archives.resources, "delete_entries", payload)
    assert set(await archives.documents()) == {"arch/other"}


async def test_restoring_the_archive_restores_the_documents_of_its_files(archives: Archives) -> None:
    id_ = await archives.upload({"a.txt": "one", "b.txt": "two"})
    await archives.read()
    before = await archives.documents()
    url = f"{archives.workspace.url}/{before['arch/b.txt']['id']}"
    (await archives.workspace.client.patch(url, json={"content": "A colleague's work"})).raise_for_status()
    (await archives.workspace.client.delete(f"{archives.workspace.url}/{id_}")).raise_for_status()
    [job] = await archives.inside.jobs("delete_entries")
    payload = DeleteEntries.model_validate(job)
    await run_job(archives.inside.users, archives.resources, "delete_entries", payload)
    assert await archives.documents() == {}
    (await archives.workspace.client.post(f"{archives.workspace.url}/{id_}/restore")).raise_for_status()
    await archives.read()
    await run_job(archives.inside.users, archives.resources, "delete_entries", payload)  # late
    after = await archives.documents()
    assert {name: each["id"] for name, each in after.items()} == {name: each["id"] for name, each in before.items()}
    assert await archives.texts() == {"arch/a.txt": "one", "arch/b.txt": "A colleague's work"}
    assert (after["arch"]["title"], after["arch"]["version"]) == ("letters", 1)


async def test_files_with_the_same_path_are_listed(archives: Archives) -> None:
    await archives.upload({"a/c.txt": "one", "a//c.txt": "two", "b.txt": "three", "a/./c.txt": "four"})
    await archives.read()
    assert await archives.texts() == {"arch/a/c.txt": "four", "arch/b.txt": "three"}
    same = "- a/c.txt: The archive has several files with this path. The last one is read."
    assert (await archives.documents())["arch"]["content"] == (
        f"2 files of the archive are documents:\n- a/c.txt\n- b.txt\n\n2 are not:\n{same}\n{same}"
    )


async def test_a_quota_leaves_files_out_and_says_so(archives: Archives, settings: Settings) -> None:
    quota = "INSERT INTO project_quota (project_id, quota, most) VALUES ($1, 'documents', 2)"
    await archives.inside.users.execute(quota, archives.workspace.project)
    await archives.upload({"a.txt": "one", "b.txt": "two"})
    await archives.read()
    found = await archives.documents()
    assert set(found) == {"arch", "arch/a.txt"}
    assert str(found["arch"]["content"]).endswith("- b.txt: A quota of the project or its account would be exceeded.")
    assert len(files(settings, archives.workspace)) == 2


@pytest.mark.parametrize(
    ("content", "code"),
    [({"photo.png": PNG}, "unsupported"), ({"a/.hidden": "x"}, "no_text"), ({"x" * 600 + ".txt": "x"}, "long_name")],
    ids=["no_text", "hidden", "long"],
)
async def test_an_archive_without_a_readable_file_fails(
    archives: Archives, content: Mapping[str, str | bytes], code: str
) -> None:
    await archives.upload(content)
    await archives.read()
    [found] = (await archives.documents()).values()
    assert (found["index_status"], str(found["index_error"]).partition(":")[0]) == ("failed", code)

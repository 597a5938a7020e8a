from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import JsonValue

from partywall.client.api import Api
from partywall.client.document_import import (
    Import,
    ImportCounts,
    IndexProgress,
    LocalDocument,
    Outcome,
    SourceFile,
    UnreadableFile,
    by_hash,
    documents_in,
    known_documents,
)
from partywall.client.document_import.existing import ExistingDocument, find_known
from partywall.client.document_import.index_progress import POLL_SECONDS
from partywall.client.document_import.send import DEFAULT_UPLOAD_BYTES
from partywall.client.errors import ApiError
from partywall.testing.engines import Superuser
from tests.client.conftest import Person
from tests.client.proxy import Proxy


def text(name: str, content: str) -> LocalDocument:
    return LocalDocument(name, name, content, hashlib.sha256(content.encode()).hexdigest())


def page(name: str, body: str) -> LocalDocument:
    return uploaded(name, f"<title>{name}</title><p>{body}</p>".encode())


def uploaded(name: str, source: bytes) -> LocalDocument:
    """Its file is in the working directory."""
    digest = hashlib.sha256(source).hexdigest()
    path = Path(digest)
    path.write_bytes(source)
    with path.open("rb") as file:
        return LocalDocument(name, "", "", digest, upload=SourceFile.of(path, file))


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@dataclass
class Target:
    """A project to import into, and the messages that the import printed."""

    api: Api
    id: str
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def run(
        self,
        *documents: LocalDocument | UnreadableFile,
        known: dict[str, ExistingDocument] | None = None,
        metadata: dict[str, JsonValue] | None = None,
        root: str | None = None,
        replace: bool = False,
        planned: Callable[[Outcome, str], None] | None = None,
        renamable: dict[tuple[str, str], ExistingDocument] | None = None,
    ) -> tuple[int, int, int, int]:
        known = known_documents(self.api, self.id) if known is None else known
        counts = ImportCounts()
        importer = Import(self.api, self.id, known, self._record, metadata or {}, root, replace, planned, counts)
        importer.warned = self.warnings.append
        importer.renamable = renamable or {}
        importer.run(documents)
        assert counts.done == len(documents)
        return counts.sent, counts.changed, counts.unchanged, len(counts.failed)

    def _record(self, _tally: ImportCounts, failure: str | None) -> None:
        if failure is not None:
            self.failures.append(failure)

    def document(self, external_id: str) -> dict[str, JsonValue]:
        known = find_known(self.api, self.id, external_id)
        assert known is not None
        found: dict[str, JsonValue] = json.loads(self.api.get(f"/projects/{self.id}/documents/{known.id}"))
        return found


@pytest.fixture
def target(person: Person, api: Api) -> Target:
    return Target(api, person.project())


def test_new_documents_are_sent_once(target: Target) -> None:
    documents = [text(f"{number}.txt", f"text {number}") for number in range(450)]
    assert target.run(*documents) == (450, 0, 0, 0)
    assert target.run(*documents) == (0, 0, 450, 0)
    assert len(known_documents(target.api, target.id)) == 450


def test_a_changed_document_becomes_a_new_version(target: Target) -> None:
    target.run(text("a.txt", "old"), text("b.txt", "same"))
    before = target.document("a.txt")
    assert target.run(text("a.txt", "new"), text("b.txt", "same")) == (0, 1, 1, 0)
    after = target.document("a.txt")
    assert (after["id"], after["content"], after["version"]) == (before["id"], "new", 2)


def test_markdown_is_sent_as_such_with_its_front_matter(target: Target, tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    for number, text_ in enumerate(("old", "new"), start=1):
        path.write_text(f"---\ntitle: Tides\ntags: [sea]\ndate: 2026-11-30\n---\n{text_}")
        target.run(*documents_in(tmp_path, path), metadata={"date": "today"})
        made = target.document("a.md")
        assert (made["title"], made["media_type"], made["version"]) == ("Tides", "text/markdown", number)
        assert made["metadata"] == {"tags": ["sea"], "date": "today"}


def test_a_refused_document_is_named_and_the_rest_goes_through(target: Target) -> None:
    documents = [text(f"{number}.txt", "fine") for number in range(100)]
    documents[37] = text("37.txt", "a NUL \0 byte")
    documents[73] = text("73.txt", "another \0")
    assert target.run(*documents) == (98, 0, 0, 2)
    assert [line.partition(":")[0] for line in target.failures] == ["37.txt", "73.txt"]
    assert "U+0000" in target.failures[0]


def test_unreadable_files_are_counted(target: Target) -> None:
    assert target.run(UnreadableFile("x.txt", "not UTF-8"), text("y.txt", "fine")) == (1, 0, 0, 1)
    assert target.failures == ["x.txt: not UTF-8"]


def test_a_page_is_known_by_the_hash_of_its_file(target: Target) -> None:
    assert target.run(page("p.html", "one")) == (1, 0, 0, 0)
    assert target.document("p.html")["media_type"] == "text/html"
    assert target.run(page("p.html", "one")) == (0, 0, 1, 0)


@pytest.mark.parametrize("name", ["a/e\x1b[31m\x7f.html", "\u202etxt.html", "t\tn\n.html"])
def test_any_file_name_that_the_system_allows_works(target: Target, name: str) -> None:
    assert target.run(page(name, "one")) == (1, 0, 0, 0)
    assert set(known_documents(target.api, target.id)) == {name}


def test_a_changed_page_keeps_its_document(target: Target) -> None:
    target.run(page("p.html", "one"))
    before = target.document("p.html")
    target.api.patch(f"/projects/{target.id}/documents/{before['id']}", {"metadata": {"tag": "kept"}})
    assert target.run(page("p.html", "two")) == (0, 1, 0, 0)
    after = target.document("p.html")
    assert (after["id"], after["version"]) == (before["id"], 2)
    assert "two" in str(after["content"])
    assert isinstance(after["metadata"], dict)
    assert after["metadata"]["tag"] == "kept"
    assert target.run(page("p.html", "two")) == (0, 0, 1, 0)


def test_a_file_does_not_replace_a_document_that_was_made_meanwhile(target: Target) -> None:
    target.run(text("p.html", "written by a program"))
    assert target.run(page("p.html", "one"), root="a#1", known={}) == (0, 0, 0, 1)
    assert target.document("p.html")["content"] == "written by a program"


def test_a_file_that_changes_while_it_is_sent_is_sent_again(target: Target) -> None:
    document = page("p.html", "one")
    assert document.upload is not None
    document.upload.path.write_text("<p>longer than before, and not what was hashed")
    assert target.run(document) == (0, 0, 0, 1)
    assert target.failures == ["p.html: it changed while it was being sent: repeat the command"]
    assert known_documents(target.api, target.id) == {}


def test_a_renamed_file_keeps_its_document(target: Target) -> None:
    target.run(page("old.html", "one"), text("old.txt", "two"))
    before = known_documents(target.api, target.id)
    assert target.run(page("old.html", "one"), renamable={}) == (0, 0, 1, 0)
    moved = [replace(page("old.html", "one"), external_id="new.html"), text("new.txt", "two")]
    assert target.run(*moved, renamable=by_hash(before.values())) == (0, 0, 0, 0)
    after = known_documents(target.api, target.id)
    assert {name: each.id for name, each in after.items()} == {
        "new.html": before["old.html"].id,
        "new.txt": before["old.txt"].id,
    }
    assert after["new.txt"].title == "new.txt"


def test_a_refused_page_leaves_the_old_one_alone(target: Target) -> None:
    target.run(page("p.html", "one"))
    assert target.run(uploaded("p.html", b"a\x00")) == (0, 0, 0, 1)
    assert "one" in str(target.document("p.html")["content"])


def test_documents_sent_by_a_concurrent_import_are_not_sent_twice(target: Target) -> None:
    target.run(text("a.txt", "same"), text("b.txt", "old"))
    assert target.run(text("a.txt", "same"), text("b.txt", "new"), text("c.txt", "c"), known={}) == (1, 1, 1, 0)
    assert target.document("b.txt")["content"] == "new"


def test_lost_answers_duplicate_nothing(person: Person, proxy: Proxy, target: Target) -> None:
    documents = [text(f"{number}.txt", f"text {number}") for number in range(300)] + [page("p.html", "one")]
    with person.api(20.0, proxy.url) as api:
        proxy.lose = 3
        assert Target(api, target.id).run(*documents, known={}) == (301, 0, 0, 0)
    assert proxy.lose == 0
    stats = json.loads(target.api.get(f"/projects/{target.id}/documents/stats"))
    assert stats["total"] == 301


def test_metadata_is_noted_on_each_document(target: Target) -> None:
    target.run(text("a.txt", "Hallo"), page("p.html", "Hallo"), metadata={"language": "de"})
    for name in ("a.txt", "p.html"):
        metadata = target.document(name)["metadata"]
        assert isinstance(metadata, dict)
        assert metadata["language"] == "de"


def test_a_project_of_somebody_else_ends_the_import(target: Target) -> None:
    with pytest.raises(ApiError) as refusal:
        Target(target.api, "01890000-0000-7000-8000-000000000000").run(text("a.txt", "a"), known={})
    assert refusal.value.status == 404


def test_a_title_or_language_alone_is_a_change(target: Target) -> None:
    document = text("a.txt", "same")
    target.run(document, page("p.html", "same"))
    assert target.run(replace(document, title="Another")) == (0, 1, 0, 0)
    assert target.document("a.txt")["title"] == "Another"
    before = target.document("p.html")["id"]
    renamed = replace(document, title="Another")
    assert target.run(renamed, page("p.html", "same"), metadata={"language": "de"}) == (0, 2, 0, 0)
    assert target.run(renamed, page("p.html", "same"), metadata={"language": "de"}) == (0, 0, 2, 0)
    assert target.document("p.html")["id"] == before


def test_another_folder_overwrites_nothing_unless_it_is_told_to(target: Target) -> None:
    first = [text("README.txt", "of A"), page("index.html", "of A")]
    target.run(*first, root="a#1")
    kept = [target.document(name) for name in ("README.txt", "index.html")]
    second = [text("README.txt", "of B"), page("index.html", "of B"), text("b.txt", "of B")]
    assert target.run(*second, root="b#2") == (1, 0, 0, 2)
    assert [target.document(name) for name in ("README.txt", "index.html")] == kept
    assert target.failures[0].startswith("README.txt: another document has this path (it was imported from 'a')")
    target.run(*second, root="a#2")
    assert "it was imported from another folder named 'a'" in target.failures[-1]
    assert target.run(*second, root="b#2", replace=True) == (0, 2, 1, 0)
    assert target.document("README.txt")["content"] == "of B"
    assert target.run(*second, root="b#2") == (0, 0, 3, 0)


def test_documents_not_imported_are_not_overwritten(target: Target) -> None:
    target.run(text("a.txt", "written by a program"))
    assert target.run(text("a.txt", "of the folder"), root="a#1", known={}) == (0, 0, 0, 1)
    assert target.run(text("a.txt", "written by a program"), root="a#1") == (0, 0, 1, 0)
    assert target.document("a.txt")["content"] == "written by a program"


def test_two_unicode_forms_of_one_path_are_one_document(target: Target) -> None:
    target.api.create(f"/projects/{target.id}/documents", {"title": "t", "content": "x", "external_id": "o\u0308.txt"})
    assert target.run(text("\u00f6.txt", "x"), metadata={}) == (0, 1, 0, 0)
    assert target.run(text("\u00f6.txt", "x"), text("\u00f6.txt", "y")) == (0, 0, 1, 1)


def test_a_plan_sends_nothing(target: Target) -> None:
    target.run(text("a.txt", "old"), text("b.txt", "same"))
    plans: list[tuple[str, str]] = []
    large = LocalDocument("large.html", "", "", "", upload=SourceFile(Path("large"), DEFAULT_UPLOAD_BYTES + 1, 0))
    documents = [text("a.txt", "new"), text("b.txt", "same"), page("p.html", "new"), text("c.txt", "new"), large]
    outcome = target.run(*documents, planned=lambda outcome, name: plans.append((outcome, name)))
    assert outcome == (2, 1, 1, 1)
    assert plans == [("changed", "a.txt"), ("sent", "p.html"), ("sent", "c.txt")]
    assert target.failures == ["large.html: larger than 26,214,400 bytes, the default limit of servers"]
    assert set(known_documents(target.api, target.id)) == {"a.txt", "b.txt"}
    assert target.document("a.txt")["content"] == "old"


def test_an_error_names_the_document(target: Target) -> None:
    target.run(text("a.txt", "a NUL \0 byte"))
    [failure] = target.failures
    assert failure.startswith("a.txt: its content: ")


async def test_documents_that_could_not_be_read_are_named(target: Target, kept: Superuser) -> None:
    target.run(*(text(f"{name}.txt", name) for name in "abcd"))
    await kept.execute("UPDATE document SET index_status = 'indexed' WHERE project_id = $1", UUID(target.id))
    await kept.execute(
        "UPDATE document SET index_status = 'failed', index_error = CASE external_id WHEN 'a.txt' THEN 'too long'"
        " ELSE 'damaged: It is cut off.' END WHERE project_id = $1 AND external_id IN ('a.txt', 'b.txt', 'd.txt')",
        UUID(target.id),
    )
    ids = {str(target.document(f"{name}.txt")["id"]): f"{name}.txt" for name in "abc"}
    progress = IndexProgress(target.api, target.id, ids)
    assert list(progress.wait(lambda _seconds: pytest.fail("it waits"))) == [3]
    assert [(each.place, each.code, each.reason) for each in progress.unread()] == [
        ("a.txt", "", "too long"),
        ("b.txt", "damaged", "It is cut off."),
    ]


def test_waiting_ends_if_nothing_is_read(target: Target) -> None:
    """The deployment of these tests has no worker."""
    target.run(text("a.txt", "one"))
    pauses: list[float] = []
    progress = IndexProgress(target.api, target.id, {str(target.document("a.txt")["id"]): "a.txt"}, 4 * POLL_SECONDS)
    assert set(progress.wait(pauses.append)) == {0}
    assert pauses == [POLL_SECONDS] * 5
    assert len(progress.pending) == 1


def test_documents_without_text_are_reported(target: Target) -> None:
    scripts = b"<title>App</title><body><noscript>Enable scripts</noscript><div id=root></div><script>start()</script>"
    documents = [text("a.txt", "fine"), text("b.txt", " \n"), page("p.html", "fine"), uploaded("app.html", scripts)]
    assert target.run(*documents) == (4, 0, 0, 0)
    assert sorted(target.warnings) == ["app.html", "b.txt"]
    assert target.run(*documents) == (0, 0, 4, 0)
    assert len(target.warnings) == 2
    assert [target.document(name)["warnings"] for name in ("app.html", "b.txt", "p.html")] == [
        ["no_text"],
        ["no_text"],
        [],
    ]

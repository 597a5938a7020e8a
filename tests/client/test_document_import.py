from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from partywall.client.document_import import (
    LocalDocument,
    SourceFile,
    UnreadableFile,
    documents_in,
    known_documents,
)
from partywall.client.document_import.send import DEFAULT_UPLOAD_BYTES
from partywall.client.errors import ApiError
from tests.client.conftest import Person
from tests.client.proxy import Proxy
from tests.client.target import Target, page, text

pytestmark = pytest.mark.usefixtures("working_directory")


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

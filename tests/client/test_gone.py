"""Which documents of a folder have lost their file."""

from __future__ import annotations

from pathlib import Path

from pydantic import JsonValue

from partywall.client.document_import import ExistingDocument, FolderContent, by_hash, gone_files, gone_lines, scan

ROOT = "folder#1"


def known(*names: str, root: str | None = ROOT, **metadata: str) -> dict[str, ExistingDocument]:
    held: dict[str, JsonValue] = {**metadata, **({"source_root": root} if root else {})}
    return {
        name: ExistingDocument(id=name, external_id=name, title="", content_sha256=f"hash of {name}", metadata=held)
        for name in names
    }


def content(folder: Path) -> FolderContent:
    return FolderContent.of(folder, scan(folder))


def test_only_documents_of_this_folder_lose_their_file(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("x")
    documents = known("a.md", "gone.md") | known("other.md", root="other#2") | known("made.md", root=None)
    assert set(gone_files(documents, ROOT, "", content(tmp_path))) == {"gone.md"}


def test_what_is_skipped_is_still_there(tmp_path: Path) -> None:
    for name in (".hidden/a.md", "node_modules/b.md", "c.adoc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "link.md").symlink_to(tmp_path / "nothing")
    documents = known(".hidden/a.md", ".hidden/gone.md", "node_modules/b.md", "c.adoc", "link.md")
    assert gone_files(documents, ROOT, "", content(tmp_path)) == {}


def test_a_folder_that_cannot_be_read_is_still_there(tmp_path: Path) -> None:
    """As the scan reports it; the tests may run as root, who can read everything."""
    unreadable = FolderContent(tmp_path, frozenset({"closed/"}), ("closed/",))
    assert set(gone_files(known("closed/a.md", "gone/a.md"), ROOT, "", unreadable)) == {"gone/a.md"}


def test_a_prefix_separates_imports_of_one_folder(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("x")
    documents = known("de/a.md", "de/gone.md", "en/gone.md")
    assert set(gone_files(documents, ROOT, "de/", content(tmp_path))) == {"de/gone.md"}


def test_lines_are_gone_with_their_file_or_from_it(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "1", "title": "", "text": ""}')
    documents = known("a.jsonl#1", "a.jsonl#2", "b.jsonl#1")
    assert set(gone_files(documents, ROOT, "", content(tmp_path))) == {"b.jsonl#1"}
    assert set(gone_lines(documents, ROOT, "", {"a.jsonl#1"}, {"a.jsonl"})) == {"a.jsonl#2"}
    assert gone_lines(documents, ROOT, "", {"a.jsonl#1"}, set()) == {}


def test_a_renamed_file_is_recognized_by_its_hash() -> None:
    text, file = known("a.md"), known("b.pdf", source_sha256="hash of the file")
    assert {key: each.id for key, each in by_hash([*text.values(), *file.values()]).items()} == {
        ("hash of a.md", ".md"): "a.md",
        ("hash of the file", ".pdf"): "b.pdf",
    }

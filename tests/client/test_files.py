from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

from partywall.client.document_import import (
    FileFilter,
    LocalDocument,
    SkippedFile,
    UnreadableFile,
    count,
    documents_in,
    holds_documents,
    scan,
)
from partywall.client.document_import.files import LARGE_TEXT, LONG_PATH, MAX_CONTENT_BYTES, NOT_TEXT
from partywall.client.document_import.send import DEFAULT_UPLOAD_BYTES
from partywall.features.documents import constants
from partywall.settings import BlobSettings


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def read(folder: Path) -> list[LocalDocument | UnreadableFile]:
    return [document for path in scan(folder).files for document in documents_in(folder, path)]


def test_files_are_walked_in_order_and_hidden_ones_left_out(tmp_path: Path) -> None:
    write(tmp_path, {"b.txt": "b", "a/z.md": "z", "a/y.HTML": "y", ".git/x.txt": "x", ".hidden.md": "x", "p.png": "x"})
    assert [path.relative_to(tmp_path).as_posix() for path in scan(tmp_path).files] == ["b.txt", "a/y.HTML", "a/z.md"]


def test_text_is_read_unchanged(tmp_path: Path) -> None:
    content = "  Grüße\r\n\n"
    [local] = read(write(tmp_path, {"notes/my notes.txt": content}))
    digest = hashlib.sha256(content.encode()).hexdigest()
    assert local == LocalDocument("notes/my notes.txt", "my notes", content, digest)


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    [local] = read(write(tmp_path, {"a.txt": b"\xef\xbb\xbfx"}))
    assert isinstance(local, LocalDocument)
    assert local.content == "x"


@pytest.mark.parametrize(
    ("content", "title"),
    [("intro\n\n## The  point ##\n# Later", "The point"), ("no heading", "page"), ("#hashtag", "page")],
)
def test_markdown_is_called_by_its_first_heading(tmp_path: Path, content: str, title: str) -> None:
    [local] = read(write(tmp_path, {"page.md": content}))
    assert isinstance(local, LocalDocument)
    assert local.title == title


def test_a_page_is_sent_as_bytes(tmp_path: Path) -> None:
    page = "\ufeff<meta charset=latin1><p>ü</p>".encode()
    [local] = read(write(tmp_path, {"p.html": page}))
    assert local == LocalDocument("p.html", "", "", hashlib.sha256(page).hexdigest(), upload=page)


@pytest.mark.parametrize("name", ["p.html", "t.txt", "t.md", "w.pdf", "n.ipynb"])
@pytest.mark.parametrize("content", ["ü".encode("latin-1"), "ü".encode("utf-16")])
def test_what_the_server_reads_is_sent_as_bytes(tmp_path: Path, name: str, content: bytes) -> None:
    [local] = read(write(tmp_path, {name: content}))
    assert local == LocalDocument(name, "", "", hashlib.sha256(content).hexdigest(), upload=content)


def test_source_code_is_sent_if_it_is_included(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "x", "b.py": "x"})
    assert [path.name for path in scan(tmp_path).files] == ["a.md"]
    assert [path.name for path in scan(tmp_path, FileFilter(include=("*.py",))).files] == ["b.py"]


def test_a_text_that_the_server_would_refuse_for_its_size_is_refused(tmp_path: Path) -> None:
    largest = "ü" * (MAX_CONTENT_BYTES // 2)
    lines = [json.dumps({"id": name, "title": "", "text": text}) for name, text in (("a", ""), ("b", largest + "x"))]
    write(tmp_path, {"a.txt": largest, "b.txt": f"{largest}x", "c.jsonl": "\n".join(lines)})
    found = read(tmp_path)
    assert [each.place for each in found if isinstance(each, LocalDocument)] == ["a.txt", "c.jsonl line 1"]
    refused = [each for each in found if isinstance(each, UnreadableFile)]
    assert refused == [UnreadableFile("b.txt", LARGE_TEXT), UnreadableFile("c.jsonl line 2", LARGE_TEXT)]


def test_the_size_limits_are_those_of_the_server() -> None:
    assert MAX_CONTENT_BYTES == constants.MAX_CONTENT_BYTES
    assert BlobSettings.model_fields["max_upload_bytes"].default == DEFAULT_UPLOAD_BYTES


def test_each_line_of_json_is_a_document(tmp_path: Path) -> None:
    lines = (
        '{"id": 7, "title": "T", "text": "seven", "more": 1}\n\n'
        '{"_id": "x", "title": "", "text": ""}\nnot json\n[]\n{"id": "y", "text": "no title"}\n'
    )
    folder = write(tmp_path, {"c.jsonl": lines})
    found = read(folder)
    assert [(d.external_id, d.title, d.content) for d in found if isinstance(d, LocalDocument)] == [
        ("c.jsonl#7", "T", "seven"),
        ("c.jsonl#x", "x", ""),
    ]
    assert [d for d in found if isinstance(d, UnreadableFile)] == [
        UnreadableFile("c.jsonl line 4", "not JSON"),
        UnreadableFile("c.jsonl line 5", "not an object"),
        UnreadableFile("c.jsonl line 6", "id, title or text is missing"),
    ]
    assert count(scan(folder).files) == 5


def test_json_lines_of_something_else_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path, {"queries.jsonl": '{"_id": "1", "text": "what?"}\n', "empty.jsonl": "", "a.txt": ""})
    found = scan(tmp_path)
    assert [path.name for path in found.files] == ["a.txt"]
    reason = "its lines are not {id, title, text}"
    assert found.skipped == [SkippedFile("empty.jsonl", reason), SkippedFile("queries.jsonl", reason)]


def test_a_bad_first_line_does_not_drop_the_file(tmp_path: Path) -> None:
    write(tmp_path, {"c.jsonl": 'not json\n{"id": "1", "title": "t", "text": "fine"}\n'})
    assert holds_documents(tmp_path / "c.jsonl")
    bad, good = read(tmp_path)
    assert bad == UnreadableFile("c.jsonl line 1", "not JSON")
    assert isinstance(good, LocalDocument)


def test_an_id_that_is_repeated_is_refused_by_its_line(tmp_path: Path) -> None:
    lines = ['{"id": 1, "title": "t", "text": "first"}', "", '{"id": "1", "title": "t", "text": "second"}']
    first, second = read(write(tmp_path, {"c.jsonl": "\n".join(lines)}))
    assert isinstance(first, LocalDocument)
    assert second == UnreadableFile("c.jsonl line 3", "line 1 has the same id")
    assert first.place == "c.jsonl line 1"


def test_an_id_is_the_same_in_each_unicode_form(tmp_path: Path) -> None:
    lines = [json.dumps({"id": id_, "title": "t", "text": "x"}) for id_ in ("e\u0301", "\u00e9")]
    first, second = read(write(tmp_path, {"c.jsonl": "\n".join(lines)}))
    assert isinstance(first, LocalDocument)
    assert first.external_id == "c.jsonl#\u00e9"
    assert second == UnreadableFile("c.jsonl line 2", "line 1 has the same id")


def test_each_skipped_file_is_named_with_its_reason(tmp_path: Path) -> None:
    names = ["a.md", "b.adoc", "c.py", "LICENSE", ".env", "node_modules/m/README.md", ".git/x.md", "sub/d.png"]
    write(tmp_path, dict.fromkeys(names, "x"))
    (tmp_path / "link.md").symlink_to(tmp_path / "a.md")
    (tmp_path / "circle").symlink_to(tmp_path)
    found = scan(tmp_path)
    assert [path.name for path in found.files] == ["a.md"]
    assert {each.name: each.reason for each in found.skipped} == {
        "b.adoc": ".adoc files are not supported",
        "c.py": ".py files are source code",
        "LICENSE": "no file name extension",
        ".env": "hidden",
        "node_modules/": "dependencies",
        ".git/": "hidden",
        "sub/d.png": ".png files are not supported",
        "link.md": "a link",
        "circle": "a link",
    }


@pytest.mark.parametrize(
    ("choice", "taken"),
    [
        (FileFilter(include=("*.md",)), ["a.md", "docs/b.md"]),
        (FileFilter(include=("docs/*",)), ["docs/b.md", "docs/c.txt"]),
        (FileFilter(include=("docs/",)), ["docs/b.md", "docs/c.txt"]),
        (FileFilter(exclude=("docs/*", "*.html")), ["a.md"]),
        (FileFilter(include=("*.md",), exclude=("a.*",)), ["docs/b.md"]),
        (FileFilter(include=("node_modules/*",)), ["node_modules/m/README.md"]),
    ],
)
def test_patterns_choose_files(tmp_path: Path, choice: FileFilter, taken: list[str]) -> None:
    write(tmp_path, dict.fromkeys(["a.md", "docs/b.md", "docs/c.txt", "p.html", "node_modules/m/README.md"], "x"))
    found = scan(tmp_path, choice)
    assert [path.relative_to(tmp_path).as_posix() for path in found.files] == taken


@pytest.mark.skipif(sys.platform != "linux", reason="other systems change the form of a name themselves")
def test_a_name_is_the_same_in_each_unicode_form(tmp_path: Path) -> None:
    [local] = read(write(tmp_path, {"Gro\u0308\u00dfe.txt": "x"}))
    assert isinstance(local, LocalDocument)
    assert local.external_id == "Gr\u00f6\u00dfe.txt"


def test_a_prefix_stands_before_each_path(tmp_path: Path) -> None:
    folder = write(tmp_path, {"a.txt": "x"})
    [local] = documents_in(folder, folder / "a.txt", "handbook/")
    assert isinstance(local, LocalDocument)
    assert local.external_id == "handbook/a.txt"


def test_one_file_is_called_by_its_name(tmp_path: Path) -> None:
    path = write(tmp_path, {"deep/one.txt": "1"}) / "deep" / "one.txt"
    assert scan(path).files == [path]
    [local] = documents_in(path, path)
    assert isinstance(local, LocalDocument)
    assert local.external_id == "one.txt"


def test_an_unreadable_file_has_a_reason(tmp_path: Path) -> None:
    write(tmp_path, {"nul.txt": b"a\0", "gone.txt": ""})
    files = scan(tmp_path).files
    (tmp_path / "gone.txt").unlink()
    found = [document for path in files for document in documents_in(tmp_path, path)]
    assert found == [
        UnreadableFile("gone.txt", "no such file or directory"),
        UnreadableFile("nul.txt", NOT_TEXT),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux")
def test_a_name_that_is_not_utf8_is_reported(tmp_path: Path) -> None:
    Path(os.fsdecode(bytes(tmp_path) + b"/\xff.txt")).write_text("x")
    [document] = read(tmp_path)
    assert isinstance(document, UnreadableFile)
    assert "not UTF-8" in document.reason


def test_only_what_lies_in_the_folder_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "outside.txt").write_text("not ours")
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    os.mkfifo(folder / "pipe.txt")
    (folder / "own.txt").write_text("ours")
    assert scan(folder).files == [folder / "own.txt"]


def test_a_lone_surrogate_fails_only_its_own_line(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"id": "1", "title": "t", "text": "\\ud800"}\n{"id": "2", "title": "t", "text": "fine"}\n')
    bad, good = documents_in(tmp_path, path)
    assert isinstance(bad, UnreadableFile)
    assert bad.name == "lines.jsonl line 1"
    assert isinstance(good, LocalDocument)


def test_documents_the_server_would_refuse_are_found_before_sending(tmp_path: Path) -> None:
    """So a dry run reports it too."""
    deep = "/".join(["d" * 200] * 3)
    lines = [{"id": "a\0", "title": "t", "text": "x"}, {"id": "x" * 600, "title": "t", "text": "x"}]
    lines.append({"id": "1", "title": "t", "text": "x"})
    write(tmp_path, {"nul.txt": b"a\0b", "nul.html": b"<p>\0", f"{deep}/x.md": "x", f"{deep}/x.html": "x"})
    write(tmp_path, {"c.jsonl": "\n".join(map(json.dumps, lines))})
    found = read(tmp_path)
    assert {each.name.rpartition("/")[2]: each.reason for each in found if isinstance(each, UnreadableFile)} == {
        "nul.txt": NOT_TEXT, "nul.html": NOT_TEXT, "x.md": LONG_PATH, "x.html": LONG_PATH,
        "c.jsonl line 1": NOT_TEXT, "c.jsonl line 2": LONG_PATH,
    }  # fmt: skip
    assert len(found) == 7


@pytest.mark.parametrize("id_", [True, False, ""])
def test_an_id_must_be_a_text_or_a_number(tmp_path: Path, id_: object) -> None:
    line = json.dumps({"id": id_, "title": "t", "text": "x"})
    assert read(write(tmp_path, {"c.jsonl": f'{line}\n{{"id": 0, "title": "t", "text": "x"}}'}))[0] == UnreadableFile(
        "c.jsonl line 1", "its id is neither text nor a number"
    )


def test_lines_in_another_encoding_are_all_refused(tmp_path: Path) -> None:
    line = '{"id": 1, "title": "t", "text": "x"}\n'
    path = tmp_path / "c.jsonl"
    for encoding in ("utf-16", "utf-16-le", "utf-32"):
        path.write_bytes((line * 2).encode(encoding))
        assert not [each for each in documents_in(tmp_path, path) if isinstance(each, LocalDocument)]
    path.write_bytes(line.encode("utf-8-sig"))
    assert isinstance(next(documents_in(tmp_path, path)), LocalDocument)


def test_a_file_of_another_kind_is_skipped_when_it_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"x.adoc": "x", "y.md": "y"})
    assert scan(tmp_path / "x.adoc").skipped == [SkippedFile("x.adoc", ".adoc files are not supported")]
    assert scan(tmp_path / "y.md").files == [tmp_path / "y.md"]

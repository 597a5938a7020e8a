from __future__ import annotations

import pytest

from partywall.features.documents.exceptions import NotTextError
from partywall.features.documents.extraction import extract, plain_name, recognize
from partywall.features.documents.html_text import markdown_of


@pytest.mark.parametrize("text", ["# a" + " #" * 500_000 + "a", "# " * 500_000, "#" * 1_000_000, " " * 1_000_000])
def test_a_long_line_is_no_attack(text: str) -> None:
    assert len(extract(text.encode(), "text/markdown", "name.md").title) <= 500


def test_the_title_is_the_pages_own() -> None:
    assert markdown_of("<title>\n A  &amp; B </title><h1>C</h1>").title == "A & B"
    assert extract(b"<h1>C</h1>", "text/html", "x.html").title == "C"
    assert extract(b"<p>C", "text/html", None).title == "Untitled"
    assert len(extract(b"# " + b"x" * 900, "text/markdown", None).title) == 500


@pytest.mark.parametrize("data", [b"\xff", b"a\x00", b"\xed\xa0\x80", "ü".encode("utf-16")])
def test_bytes_that_are_no_text(data: bytes) -> None:
    for media_type in ("text/plain", "text/markdown", "text/html"):
        with pytest.raises(NotTextError):
            extract(data, media_type, "a.txt")


@pytest.mark.parametrize(
    ("name", "plain"),
    [("a.txt", "a.txt"), ("/etc/a.txt", "a.txt"), ("..\\..\\a.txt", "a.txt"), ("", None), (None, None), ("dir/", None),
     ("..", None), ("a/.", None)],
)  # fmt: skip
def test_a_files_name_is_no_path(name: str | None, plain: str | None) -> None:
    assert plain_name(name) == plain


def test_the_bytes_of_a_file_say_more_than_its_name() -> None:
    assert recognize(b"text", "text/html; charset=utf-8", "a.txt").media_type == "text/html"
    assert recognize(b"", None, "A.MD").media_type == "text/markdown"
    assert recognize(b"%PDF-1.7", "text/plain", "a.txt").media_type == "application/pdf"
    assert recognize(b"\x80junk\x01%PDF-1.7\0", None, None).media_type == "application/pdf"
    assert recognize(b"PK\x03\x04", None, "a.DOCX").media_type.endswith("wordprocessingml.document")
    assert recognize(b"a;b", "application/vnd.ms-excel", "a.csv").media_type == "text/csv"
    for head, declared, name in (
        (b"\x89PNG\0", "image/png", "a.html"), (b"\x7fELF\0", None, "a"), (bytes(range(1, 256)), None, "LICENSE"),
    ):  # fmt: skip
        with pytest.raises(NotTextError):
            recognize(head, declared, name)


@pytest.mark.parametrize(
    ("head", "declared", "name", "media_type"),
    [
        (b"A PDF begins with %PDF-1.7", None, "a.md", "text/markdown"),
        (b"A PDF begins with %PDF-1.7", "text/html", None, "text/html"),
        (b"\x01", None, "a.txt", "text/plain"),
        (b"b\x08bo\x08ol\x08ld\x08d \xc5", "text/plain", None, "text/plain"),
        (b"text", None, "a.text", "text/plain"),
        (b"text", "application/octet-stream", "README", "text/plain"),
        (b"<svg/>", "image/svg+xml", "a.svg", "text/plain"),
        (b'{"a": 1}', "application/x-ndjson", None, "text/plain"),
        (b"{}", "text/plain", "a.json", "text/plain"),
        (b"<p>a", "text/plain", "a.html", "text/plain"),
    ],
)
def test_utf8_text_is_what_it_is_called(head: bytes, declared: str | None, name: str | None, media_type: str) -> None:
    found = recognize(head, declared, name)
    assert (found.media_type, found.may_be_read_at_once) == (media_type, True)


@pytest.mark.parametrize(
    ("head", "declared", "at_once"),
    [
        (b"text", "text/plain", True),
        ("text".encode("utf-16"), "text/plain", False),
        ("plain text".encode("utf-16-be"), "text/plain", False),
        (b"a,b", "text/csv", True),
        (b"{}", "application/json", False),
    ],
)
def test_only_utf8_text_is_read_at_once(head: bytes, declared: str, at_once: bool) -> None:
    assert recognize(head, declared, None).may_be_read_at_once is at_once

"""Files that are damaged, protected or hostile are refused with a reason."""

from __future__ import annotations

import random

import pytest

from partywall.features.documents.readers import package
from partywall.features.documents.readers.file_text import Reason
from partywall.features.documents.readers.process import Asked, read_file, request
from partywall.formats.file_kinds import media_type_by_name
from partywall.formats.text_signs import EMPTY_ZIP
from tests.features.documents.made_files import (
    FILES,
    docx,
    packed,
    pdf,
    pptx,
)
from tests.features.documents.read_files import refusal


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.pdf", b"", Reason.EMPTY),
        ("a.zip", EMPTY_ZIP + bytes(18), Reason.EMPTY),
        ("a.docx", EMPTY_ZIP + bytes(18), Reason.EMPTY),
        ("a.pdf", b"%PDF-1.7", Reason.DAMAGED),
        ("a.pdf", b"\x00\x01\x02", Reason.DAMAGED),
        ("a.bin", b"\x00\x01\x02", Reason.UNSUPPORTED),
        ("a.docx", b"PK\x03\x04 and no more", Reason.DAMAGED),
        ("a.docx", docx("<w:p>")[:-100], Reason.DAMAGED),
        ("a.docx", docx("<w:p>"), Reason.DAMAGED),
        ("a.docx", docx(""), Reason.NO_TEXT),
        ("a.txt", b" \n\t", Reason.NO_TEXT),
        ("a.txt", b"\x01\x7f\n\x1b", Reason.NO_TEXT),
        ("a.pdf", pdf([(9, "")]).replace(b"5 0 R] /Count 1", b"5 0 R " * 20_001 + b"] /Count 20001"), Reason.TOO_LARGE),
        ("a.ipynb", b"{}", Reason.DAMAGED),
        ("a.xlsx", (FILES / "password.xlsx").read_bytes(), Reason.PASSWORD_PROTECTED),
        ("a.doc", (FILES / "german-headings.doc").read_bytes()[:3000], Reason.DAMAGED),
        ("a.pptx", pptx("<p:broken>"), Reason.DAMAGED),
        ("a.rtf", rb"{\rtf1 {\fonttbl", Reason.DAMAGED),
    ],
)  # fmt: skip
def test_a_refusal_says_why(name: str, data: bytes, reason: Reason) -> None:
    assert refusal(name, data) is reason


def test_deep_xml_and_entities_are_damage() -> None:
    assert refusal("a.docx", docx("<w:p>" * 5_000)) is Reason.DAMAGED
    laughs = "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><w:document><w:p>&a;</w:p></w:document>"
    parts = {"word/document.xml": laughs}
    assert refusal("a.docx", packed(parts)) is Reason.DAMAGED


@pytest.mark.parametrize("name", ["word/document.xml", "content.xml", "xl/workbook.xml", "a.txt"])
def test_an_archive_that_explodes_is_too_large(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(package, "MAX_UNPACKED", 1_000_000)
    assert refusal("a.zip", packed({name: bytes(2_000_000)})) is Reason.TOO_LARGE


def test_a_package_that_lies_about_its_size_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = packed({"word/document.xml": bytes(2_000_000)})
    size = (2_000_000).to_bytes(4, "little")
    monkeypatch.setattr(package, "MAX_UNPACKED", 1_000_000)
    assert refusal("a.docx", whole.replace(size, (10).to_bytes(4, "little"))) in (Reason.TOO_LARGE, Reason.DAMAGED)


@pytest.mark.parametrize("name", ["numbers.xls", "comment.docx", "notes.pptx", "german-headings.doc", "attachment.msg"])
def test_damaged_files_are_read_or_refused(name: str) -> None:
    """Whatever a reader makes of them, it ends."""
    whole = (FILES / name).read_bytes()
    chance = random.Random(name)
    for _ in range(20):
        data = bytearray(whole[: chance.randrange(1, len(whole))] if chance.random() < 0.5 else whole)
        for _ in range(chance.randrange(30)):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        answer = read_file(request(Asked(media_type_by_name(name) or "")) + bytes(data))
        assert answer.startswith(b"{")

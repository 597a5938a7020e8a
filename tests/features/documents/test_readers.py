from __future__ import annotations

import json
import random
import subprocess
import sys
from base64 import b64encode

import pytest

from partywall.features.documents.extraction import recognize
from partywall.features.documents.readers import package
from partywall.features.documents.readers.archive import Entries
from partywall.features.documents.readers.file_text import FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.layout import table
from partywall.features.documents.readers.process import Asked, read_answer, read_file, request
from partywall.formats.file_kinds import media_type_by_name
from tests.features.documents.made_files import (
    FILES,
    docx,
    odt,
    packed,
    paragraph,
    pdf,
    ppt,
    ppt_record,
    ppt_text,
    pptx,
    xlsx,
    zipped,
)


def read(name: str, data: bytes) -> FileText:
    found = read_answer(read_file(request(Asked(media_type_by_name(name) or "application/octet-stream")) + data))
    assert isinstance(found, FileText)
    return found


def refusal(name: str, data: bytes) -> Reason:
    with pytest.raises(UnreadableFileError) as refused:
        read(name, data)
    return refused.value.reason


STYLES = """<w:styles xmlns:w='w'><w:style w:styleId="U1"><w:name w:val="heading 1"/></w:style>
<w:style w:styleId="U2"><w:name w:val="Mein Stil"/><w:basedOn w:val="U1"/></w:style></w:styles>"""


def test_word_documents() -> None:
    cell = "<w:tc>{}</w:tc>"
    row = "<w:tr>" + cell.format(paragraph("a")) + cell.format(paragraph("b|c") + paragraph("d")) + "</w:tr>"
    listed = "<w:numPr><w:ilvl w:val='1'/></w:numPr>"
    body = (
        paragraph("&#220;berschrift", "<w:pStyle w:val='U2'/>")
        + "<w:p><w:r><w:t>One </w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
        + "<w:r><w:t>two</w:t><w:br/><w:t>three</w:t></w:r></w:p>"
        + paragraph("first", listed)
        + paragraph("second", listed)
        + f"<w:tbl>{row}{row}</w:tbl>"
    )
    note = "<w:footnotes xmlns:w='w'><w:footnote>" + paragraph("A note") + "</w:footnote></w:footnotes>"
    header = "<w:hdr xmlns:w='w'>" + paragraph("Every page") + "</w:hdr>"
    found = read("a.docx", docx(body, styles=STYLES, footnotes=note, header1=header, header2=header))
    assert found.title == "Überschrift"
    assert found.text == (
        "# Überschrift\n\nOne two\nthree\n\n  - first\n  - second\n\n| a | b\\|c d |\n| --- | --- |\n| a | b\\|c d |"
        "\n\n**Notes**\n\n- A note\n\n**Headers and footers**\n\n- Every page"
    )


def test_open_documents() -> None:
    body = (
        "<text:h text:outline-level='2'>Chapter</text:h><text:p>A<text:s/>b<text:note><text:note-citation>1"
        "</text:note-citation><text:note-body><text:p>noted</text:p></text:note-body></text:note></text:p>"
        "<text:list><text:list-item><text:p>item</text:p></text:list-item></text:list>"
        "<table:table><table:table-row><table:table-cell><text:p>x</text:p></table:table-cell>"
        "<table:table-cell><text:p>y</text:p></table:table-cell></table:table-row></table:table>"
    )
    found = read("a.odt", odt(body))
    assert (found.title, found.language) == ("The title", "de-DE")
    assert found.text == (
        "## Chapter\n\nA b\n\n- item\n\n| x | y |\n| --- | --- |\n\n**Notes**\n\n- noted"
    )  # fmt: skip
    page = "<draw:page><draw:frame><text:p>{}</text:p></draw:frame></draw:page>"
    slides = page.format("one") + page.format("two")
    assert read("a.odp", odt(slides, kind="presentation")).text == "one\n\f\ntwo"
    encrypted = odt("", manifest="<m xmlns:x='x'><x:encryption-data/></m>")
    assert refusal("a.odt", encrypted) is Reason.PASSWORD_PROTECTED


def test_pdf_has_headings_and_pages_and_no_repeated_lines() -> None:
    words = ["one", "two", "three", "four"]
    pages = [
        [(9, f"Report {n} of 4"), (20, f"Part {n}"), (10, f"{word} begins"), (10, f"and {word} ends.")]
        for n, word in enumerate(words, start=1)
    ]
    found = read("a.pdf", pdf(*pages, title="Annual report"))
    assert (found.title, found.language) == ("Annual report", "en-GB")
    texts = [f"# Part {n}\n\n{word} begins\nand {word} ends." for n, word in enumerate(words, start=1)]
    assert found.text == "Report 1 of 4\n\n" + "\n\f\n".join(texts)
    assert read("a.pdf", pdf(*pages, title="Microsoft Word - x.doc")).title == "Part 1"
    assert refusal("a.pdf", pdf([])) is Reason.NO_TEXT


def test_a_page_header_in_large_type_is_no_heading_of_each_page() -> None:
    pages = [[(13, f"Register of the republic / {n}"), (20, f"Part {n}"), (10, f"Text of {n}")] for n in range(2, 6)]
    found = read("a.pdf", pdf([(20, "Register")], *pages)).text
    assert (found.count("Register of"), found.count("# Register of"), found.count("# Part")) == (1, 0, 4)


def test_spreadsheets() -> None:
    found = read("a.xlsx", xlsx([["Name", "Age"], ["Ann", "3"]], [["x"]]))
    assert found.text == "## Sheet 1\n\n| Name | Age |\n| --- | --- |\n| Ann | 3 |\n\f\n## Sheet 2\n\nx"
    assert refusal("a.xlsx", xlsx([[]])) is Reason.NO_TEXT


def test_mail() -> None:
    raw = (
        b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nFrom: Ann <ann@example.com>\r\nTo: bob@example.com\r\n"
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: multipart/alternative; boundary=y\r\n"
        b"\r\n--y\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\ncaf\xe9\r\n--y\r\n"
        b"Content-Type: text/html\r\n\r\n"
        b"<p>cafe</p>\r\n--y--\r\n--x\r\nContent-Type: application/pdf\r\n"
        b"Content-Disposition: attachment; filename=a.pdf\r\n\r\nx\r\n--x--\r\n"
    )
    found = read("a.eml", raw)
    assert found.title == "Grüße"
    assert found.text == (
        "# Grüße\n\nFrom: Ann <ann@example.com>\nTo: bob@example.com\n\ncafé\n\n**Attachments**\n\n- a.pdf"
    )  # fmt: skip


def test_books() -> None:
    book = packed(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": "<c><rootfile full-path='o/b.opf'/></c>",
            "o/b.opf": "<package xmlns:dc='d'><dc:title>Book</dc:title><dc:language>fr</dc:language>"
            "<item id='2' href='two.html' media-type='application/xhtml+xml'/>"
            "<item id='1' href='one%20.html' media-type='application/xhtml+xml'/>"
            "<itemref idref='1'/><itemref idref='2'/></package>",
            "o/one .html": "<h1>One</h1><p>first</p>",
            "o/two.html": "<h1>Two</h1>",
        }
    )
    found = read("a.epub", book)
    assert (found.title, found.language, found.text) == ("Book", "fr", "# One\n\nfirst\n\n# Two")


@pytest.mark.parametrize(
    ("name", "data", "title", "text"),
    [
        ("a.json", b'[{"id": 1, "in": {"x": ["y"]}}, {"id": 2}]', "", "id: 1\nin:\n  x:\n    - y\n\nid: 2"),
        ("a.json", b"{broken", "", "{broken"),
        ("a.xml", b"<r><title>T</title><d>&lt;p&gt;one &lt;b&gt;two&lt;/b&gt;</d></r>", "T", "## T\n\none two"),
        (
            "a.ipynb",
            json.dumps(
                {"cells": [{"cell_type": "markdown", "source": ["# N\n", "x"]}, {"cell_type": "code", "source": "1+1",
                 "outputs": [{"data": {"text/plain": ["2"]}}]}]}
            ).encode(),
            "N", "# N\nx\n\n```\n1+1\n```\n\n2",
        ),
        ("a.rst", b"Title\n=====\n\nText", "Title", "Title\n=====\n\nText"),
        ("a.org", b"#+TITLE: Org\n* One", "Org", "#+TITLE: Org\n* One"),
    ],
)  # fmt: skip
def test_kinds_of_text(name: str, data: bytes, title: str, text: str) -> None:
    found = read(name, data)
    assert (found.title, found.text) == (title, text)


@pytest.mark.parametrize(
    ("encoding", "charset", "text"),
    [
        ("utf-16", "utf-16le", "Grüße"),
        ("utf-16-be", "utf-16be", "Grüße aus Köln"),
        ("utf-32", "utf-32le", "Grüße"),
        ("utf-8-sig", "", "Grüße"),
        ("utf-16-le", "utf-16le", "люди рождаются свободными и равными"),
        ("utf-32-be", "utf-32be", "люди рождаются свободными и равными"),
        ("iso2022_jp", "iso-2022-jp", "吾輩は猫である。名前はまだ無い。"),
        ("cp850", "ibm850", "Grüße aus Köln: das ist ein Text"),
        ("iso8859-2", "iso-8859-2", "Wszyscy ludzie rodzą się wolni, źdźbło, łąka"),
        ("cp1250", "windows-1250", "minden emberi lény szabadon születik és egyenlő"),
        ("koi8-u", "koi8-u", "всі люди народжуються вільними, їхня гідність єдина"),
        ("iso8859-6", "iso-8859-6", "يولد جميع الناس أحراراً متساوين في الكرامة"),
        ("cp1252", "windows-1252", "Grüße aus Köln: das ist ein Text"),
        ("cp1250", "windows-1250", "Zażółć gęślą jaźń, powiedział król"),
        ("cp1251", "windows-1251", "люди рождаются свободными и равными в своем достоинстве"),
        ("koi8-r", "koi8-r", "люди рождаются свободными и равными в своем достоинстве"),
        ("cp1253", "windows-1253", "όλοι \u03bf\u03b9 άνθρωποι γεννιούνται ελεύθεροι και ίσοι"),
        ("iso8859-8", "windows-1255", "כל בני האדם נולדו בני חורין ושווים בערכם"),
        ("shift_jis", "shift_jis", "吾輩は猫である。名前はまだ無い。"),
        ("euc_jp", "euc-jp", "吾輩は猫である。名前はまだ無い。"),
        ("gb18030", "gb18030", "人人生而自由,在尊严和权利上一律平等。"),
        ("big5", "big5", "人人生而自由\uff0c在尊嚴和權利上一律平等。"),
        ("cp949", "euc-kr", "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다"),
    ],
)
def test_encodings(encoding: str, charset: str, text: str) -> None:
    found = read("a.txt", text.encode(encoding))
    assert (found.text, found.charset) == (text, charset)


def test_a_declared_encoding_is_believed() -> None:
    page = read("a.html", "<meta charset=iso-8859-2><p>łódź ß".encode("iso8859-2"))
    assert (page.text, page.charset) == ("łódź ß", "iso-8859-2")


@pytest.mark.parametrize("charset", ["iso-2022-jp", "utf-16-le", "shift_jis", "hz"])
def test_the_encoding_that_a_mail_declares_comes_before_utf_8(charset: str) -> None:
    text = "吾輩は猫である" if charset != "hz" else "人人生而自由"
    body = b64encode(text.encode(charset)).decode()
    head = f"Subject: x\nContent-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: base64\n\n"
    assert read("a.eml", f"{head}{body}\n".encode()).text == f"# x\n\n{text}"


def test_text_that_only_looks_like_utf_8_is_read_by_a_worker() -> None:
    assert recognize("吾輩は猫である".encode("iso2022_jp"), "text/plain", "a.txt").may_be_read_at_once is False
    assert recognize(b"\x1b[31mred\x1b[0m", "text/plain", "a.txt").may_be_read_at_once


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("numbers.xls", ["## Sheet1", "| Alpha | Beta | Gamma | Delta |", "\f", "| ColA |"]),
        ("comment.docx", ["# AutoGen: Enabling", "| 13 | 14 | 49e168b7", "**Comments**", "- This is a test comment."]),
        ("notes.pptx", ["## Title Text", "Notes in inherited position", "\f", "Notes in modified position"]),
        ("german-headings.doc", ["Überschriften in nicht", "Verwenden Sie ein Standardniveau"]),
        ("attachment.msg", ["Fake email with attachment", "Lots of whitespace"]),
    ],
)
def test_files_of_other_programs(name: str, parts: list[str]) -> None:
    text = read(name, (FILES / name).read_bytes()).text
    places = [text.find(part) for part in parts]
    assert -1 not in places
    assert places == sorted(places)


def test_slides_of_an_older_program_are_read_as_they_were_saved_last() -> None:
    reference = ppt_record(0x0F9E, bytes(4))
    slides = [[ppt_text("Body\vof one"), reference], [], [ppt_text("Third", 0), ppt_text("Text\rof three")]]
    found = read("a.ppt", ppt(slides, {2: "Say this."}))
    assert found.text == (
        "## The outline's title\n\nBody\nof one\n\f\n\n\f\n## Third\n\nText\nof three\n\n**Notes**\n\n- Say this."
    )
    assert found.title == "The outline's title"
    damaged = ppt(slides, {}).replace(ppt_record(0x0FF5, b"")[2:4], b"\0\0")
    assert "Deleted" in read("a.ppt", damaged).text


def test_rtf() -> None:
    found = read("a.rtf", rb"{\rtf1\ansi{\b Bold} and \'fc{\*\generator x;}\par next}")
    assert found.text.split() == ["Bold", "and", "ü", "next"] or "**Bold** and ü" in found.text


def entries_of(data: bytes, first: int = 0, max_files: int = 1_000) -> Entries:
    found = read_answer(read_file(request(Asked("application/zip", first, max_files)) + data))
    assert isinstance(found, Entries)
    return found


def test_the_files_of_an_archive_have_plain_paths_or_a_reason() -> None:
    inner = packed({"c.txt": "x"})
    names = {"b/a.md": "# One", "/etc/./b.txt": "2", "C:\\d\\c.txt": "3", "x/../../d.txt": "4", "e\u202e.txt": "5"}
    junk = {"__MACOSX/x.txt": "x", ".hidden/y.txt": "y", "empty.txt": "", "folder/": ""}
    found = entries_of(packed({**names, **junk, "i.zip": inner, "f.docx": docx(paragraph("x"))}))
    reasons = {each.path: each.reason for each in found.entries}
    assert reasons == {
        "b/a.md": None, "etc/b.txt": None, "d/c.txt": None, "x/../../d.txt": Reason.UNSAFE_NAME,
        "e\ufffd.txt": Reason.UNSAFE_NAME, "i.zip": Reason.NESTED_ARCHIVE, "f.docx": None,
    }  # fmt: skip
    assert (found.entries[0].data, found.following) == (b"# One", None)


def test_good_files_of_a_bad_archive_are_read() -> None:
    whole = packed({"good.txt": "good", "bad.txt": "bad" * 50, "secret.txt": "secret"})
    broken = whole.replace(zipped(b"bad" * 50), b"\xff" * len(zipped(b"bad" * 50)))
    at = broken.rindex(b"PK\x01\x02") + 8  # the flags of the last file
    found = entries_of(broken[:at] + b"\x01" + broken[at + 1 :])
    assert [(each.path, each.reason) for each in found.entries] == [
        ("good.txt", None), ("bad.txt", Reason.DAMAGED), ("secret.txt", Reason.PASSWORD_PROTECTED),
    ]  # fmt: skip


def test_an_archive_is_read_in_parts_and_within_a_count() -> None:
    whole = packed({f"{number:03}.txt": "x" for number in range(70)})
    paths: list[str] = []
    following: int | None = 0
    while following is not None:
        found = entries_of(whole, following)
        assert len(found.entries) <= 32
        paths += [each.path for each in found.entries]
        following = found.following
    assert paths == [f"{number:03}.txt" for number in range(70)]
    with pytest.raises(UnreadableFileError) as refused:
        entries_of(whole, max_files=69)
    assert refused.value.reason is Reason.TOO_MANY_FILES


@pytest.mark.parametrize(
    ("charset", "name"), [("shift_jis", "資料のまとめ.txt"), ("utf-8", "Übung.txt"), ("cp437", "Übung.txt")]
)
def test_names_in_old_archives_are_decoded(charset: str, name: str) -> None:
    raw = name.encode(charset)
    whole = packed({"n" * len(raw): "x"}).replace(b"n" * len(raw), raw)
    assert [each.path for each in entries_of(whole).entries] == [name]


def test_what_a_file_is_tell_its_bytes() -> None:
    assert read("a.docx", pdf([(10, "A page")])).text == "A page"
    assert read("a.pdf", xlsx([["a", "b"]])).text.startswith("## Sheet 1")
    assert read("a.xls", b"<html><table><tr><td>a<td>b</table>").text == "a | b"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.pdf", b"", Reason.EMPTY),
        ("a.pdf", b"%PDF-1.7", Reason.DAMAGED),
        ("a.pdf", b"\x00\x01\x02", Reason.DAMAGED),
        ("a.bin", b"\x00\x01\x02", Reason.UNSUPPORTED),
        ("a.docx", b"PK\x03\x04 and no more", Reason.DAMAGED),
        ("a.docx", docx("<w:p>")[:-100], Reason.DAMAGED),
        ("a.docx", docx("<w:p>"), Reason.DAMAGED),
        ("a.docx", docx(""), Reason.NO_TEXT),
        ("a.txt", b" \n\t", Reason.NO_TEXT),
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


def test_only_text_processes_load_the_libraries() -> None:
    modules = "partywall.features.documents.file_reader, partywall.features.documents.file_router"
    libraries = {"pypdfium2", "kreuzberg", "python_calamine", "charset_normalizer"}
    code = f"import sys, {modules}; print(sorted({libraries} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-I", "-c", code]) == b"[]\n"


def test_a_text_process_loads_no_other_feature() -> None:
    code = "import sys, partywall.features.documents.readers.process; print('sqlalchemy' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-I", "-c", code]) == b"False\n"


def test_a_tables_heading_is_as_wide_as_the_table() -> None:
    """A narrower one makes no table."""
    assert table([["Prices", ""], [], ["a", "", "b"]]) == "| Prices |  |\n| --- | --- |\n| a | b |"

"""Each kind of file becomes text: headings, tables, lists, pages and notes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from partywall.features.documents.readers.file_text import Reason
from partywall.features.documents.readers.layout import table
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
    xlsx,
)
from tests.features.documents.read_files import read, refusal

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


def test_entities_of_xml_are_read_within_limits() -> None:
    declared = "<!ENTITY c 'Company'><!ENTITY p '<b>Party</b>'><!ENTITY f SYSTEM '/etc/passwd'><!ENTITY lt '&#38;#60;'>"
    text = "<d>&c; &p;&f; 2 &lt; 3</d><d e='&c;'>2</d>"
    assert read("a.xml", f"<!DOCTYPE r [{declared}]><r>{text}</r>".encode()).text == "Company Party 2 < 3\n\n2"
    assert read("a.xml", b"<!DOCTYPE r SYSTEM 'r.dtd'><r>a&nbsp;&mdash;&unknown; b</r>").text == "a \u2014 b"
    assert refusal("a.xml", b"<r>&unknown;</r>") is Reason.DAMAGED
    for each in ("'" + "a" * 501 + "'", "'&b;'"):
        assert refusal("a.xml", f"<!DOCTYPE r [<!ENTITY a {each}>]><r>&a;</r>".encode()) is Reason.UNSUPPORTED
    many = f"<!DOCTYPE r [<!ENTITY a '{'a' * 500}'>]><r>{'&a;' * 2_001}</r>"
    assert refusal("a.xml", many.encode()) is Reason.UNSUPPORTED


def test_spreadsheets() -> None:
    found = read("a.xlsx", xlsx([["Name", "Age"], ["Ann", "3"]], [["x"]]))
    assert found.text == "## Sheet 1\n\n| Name | Age |\n| --- | --- |\n| Ann | 3 |\n\f\n## Sheet 2\n\nx"
    assert refusal("a.xlsx", xlsx([[]])) is Reason.NO_TEXT


def test_spreadsheets_with_white_space_between_their_cells() -> None:
    cells = "".join(
        f"\n <table:table-cell office:value-type='string'><text:p>{text}</text:p>\n </table:table-cell><!-- {text} -->"
        for text in ("Name", "Age > 3")
    )
    rows = f"\n<table:table-row>{cells}\n</table:table-row>\n" * 2
    body = (
        "<office:body>\n<office:spreadsheet>\n"
        f"<table:table table:name='S'>{rows}</table:table>\n</office:spreadsheet></office:body>"
    )
    found = read("a.ods", odt(body, kind="spreadsheet"))
    assert found.text == "## S\n\n| Name | Age > 3 |\n| --- | --- |\n| Name | Age > 3 |"


def test_rows_of_cells_alone_in_rtf() -> None:
    found = read(
        "a.rtf", rb"{\rtf1{\info{\title T}} Before\par One\cell{\b Two}\cell\row 3\cell 4\cell\row\pard After\par}"
    )
    assert found.text == "Before\n\n| One | Two |\n| --- | --- |\n| 3 | 4 |\n\nAfter"


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
        ("a.rst", "Caf\xe9\n====\n\nText".encode("utf-16"), "Caf\xe9", "# Caf\xe9\n\nText"),
        ("a.adoc", b"= Title\n\n*a* {b}", "", "= Title\n\n*a* {b}"),
    ],
)  # fmt: skip
def test_kinds_of_text(name: str, data: bytes, title: str, text: str) -> None:
    found = read(name, data)
    assert (found.title, found.text) == (title, text)


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


def test_what_a_file_is_tell_its_bytes() -> None:
    assert read("a.docx", pdf([(10, "A page")])).text == "A page"
    assert read("a.pdf", xlsx([["a", "b"]])).text.startswith("## Sheet 1")
    assert read("a.xls", b"<html><table><tr><td>a<td>b</table>").text == "a | b"


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

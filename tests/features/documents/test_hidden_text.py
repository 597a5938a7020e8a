"""Text that a word processor hides is left out."""

from __future__ import annotations

import pytest

from tests.features.documents.made_files import docx, odt
from tests.features.documents.read_files import read

STYLES = """<w:styles xmlns:w="w">
<w:style w:styleId="Secret"><w:name w:val="Secret"/><w:rPr><w:vanish/></w:rPr></w:style>
<w:style w:styleId="More"><w:name w:val="More"/><w:basedOn w:val="Secret"/></w:style></w:styles>"""
TEXT_STYLE = (
    "<office:styles xmlns:office='o' xmlns:style='s' xmlns:text='t'><style:style style:name='{}' style:family='{}'>"
    "<style:text-properties text:display='none'/></style:style></office:styles>"
)


def run(text: str, properties: str = "") -> str:
    return f"<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r>"


@pytest.mark.parametrize(
    ("paragraph", "shown"),
    [
        (run("seen ") + run("hidden", "<w:vanish/>") + run("after"), "seen after"),
        (run("seen", "<w:vanish w:val='false'/>"), "seen"),
        (run("hidden", "<w:rStyle w:val='Secret'/>") + run("seen"), "seen"),
        ("<w:pPr><w:pStyle w:val='More'/></w:pPr>" + run("hidden") + run("seen", "<w:vanish w:val='0'/>"), "seen"),
        ("<w:pPr><w:rPr><w:vanish/></w:rPr></w:pPr>" + run("seen"), "seen"),
        (
            "<w:r><w:rPr><w:vanish/></w:rPr><w:tab/><w:t>x</w:t><w:p>" + run("box") + "</w:p></w:r>" + run("seen"),
            "seen",
        ),
    ],
    ids=["run", "switched off", "style of a run", "style of a paragraph", "end mark", "inside"],
)
def test_hidden_runs_of_word(paragraph: str, shown: str) -> None:
    body = f"<w:p>{paragraph}</w:p><w:p>{run('The end.')}</w:p>"
    assert read("a.docx", docx(body, styles=STYLES)).text == f"{shown}\n\nThe end."


def test_hidden_text_of_a_header_and_a_note() -> None:
    header = f"<w:hdr xmlns:w='w'><w:p>{run('hidden', '<w:vanish/>')}{run('seen')}</w:p></w:hdr>"
    text = read("a.docx", docx(f"<w:p>{run('Body.')}</w:p>", header1=header)).text
    assert "seen" in text
    assert "hidden" not in text


@pytest.mark.parametrize(
    ("family", "body", "shown"),
    [
        ("text", "<text:p>seen <text:span text:style-name='X'>hidden</text:span>after</text:p>", "seen after"),
        ("paragraph", "<text:p text:style-name='X'>hidden</text:p><text:p>seen</text:p>", "seen"),
        ("text", "<text:p text:style-name='X'>seen</text:p>", "seen"),
        ("text", "<text:section text:display='none'><text:p>hidden</text:p></text:section><text:p>!</text:p>", "!"),
        ("text", "<text:p>seen<text:hidden-text text:is-hidden='true'>hidden</text:hidden-text></text:p>", "seen"),
    ],
    ids=["span", "paragraph", "other family", "section", "field"],
)  # fmt: skip
@pytest.mark.parametrize("is_common", [True, False])
def test_hidden_text_of_opendocument(family: str, body: str, shown: str, is_common: bool) -> None:
    style = TEXT_STYLE.format("X", family)
    made = odt(body, styles=style) if is_common else odt(style + body)
    assert read("a.odt", made).text == shown

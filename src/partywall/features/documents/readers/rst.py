"""reStructuredText, line by line: what a person reads of it, with its headings.

The library `docutils` recurses without a limit and knows no directive of Sphinx.
"""

from __future__ import annotations

import re
from typing import Final

from partywall.features.documents.readers.file_text import FileText
from partywall.features.documents.readers.layout import Writer
from partywall.features.documents.readers.rst_blocks import Blocks
from partywall.features.documents.readers.rst_inline import Inline
from partywall.features.documents.readers.rst_lines import Document
from partywall.formats.front_matter import front_matter_of

_TAB: Final = 8
_MOST_SUBSTITUTIONS: Final = 1_000
_SUBSTITUTION: Final = re.compile(
    r"^(?P<indent> {0,100})\.\. +\|(?P<name>[^|\n]{1,100})\| +(?P<kind>replace|unicode|image)::(?P<text>.{0,500})"
    r"(?P<more>(?:\n(?P=indent) {1,100}\S.{0,500}){0,20})$",
    re.MULTILINE,
)
_CODE_POINT: Final = re.compile(r"(?:0x|U\+)([0-9A-Fa-f]{1,5})\b")


def read_rst(text: str) -> FileText:
    text = text.removeprefix("\ufeff").replace("\f", "\n")
    writer = Writer()
    document = Document(writer, Inline(_substitutions(text)))
    Blocks(document, [line.expandtabs(_TAB).rstrip() for line in text.splitlines()]).read()
    said = front_matter_of(document.fields)
    return FileText(writer.text(), said.title or writer.heading, said.language, metadata=said.metadata)


def _substitutions(text: str) -> dict[str, str]:
    plain = Inline()
    found: dict[str, str] = {}
    for each in _SUBSTITUTION.finditer(text):
        if len(found) < _MOST_SUBSTITUTIONS:
            said, more = each["text"].strip(), " ".join(each["more"].split())
            name = " ".join(each["name"].split())
            found[name] = {"replace": plain.read(f"{said} {more}".strip()), "unicode": _characters(said)}.get(
                each["kind"], ""
            )
    return found


def _characters(said: str) -> str:
    """Code points, and text as it is; a comment may follow."""
    words = said.partition(" .. ")[0].split()
    return "".join(chr(int(code[1], 16)) if (code := _CODE_POINT.fullmatch(word)) else word for word in words)

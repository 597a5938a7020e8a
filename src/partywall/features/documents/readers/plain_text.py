"""Text that is kept as it is, with its title where its format has one; and HTML in any encoding."""

from __future__ import annotations

import re
from typing import Final

from partywall.features.documents.html_text import markdown_of
from partywall.features.documents.readers.charsets import decode, decode_as
from partywall.features.documents.readers.file_text import FileText
from partywall.formats.markdown_title import described

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_HEAD: Final = 64 * 1024
_RST_TITLE: Final = re.compile(r"^(?P<title>\S[^\n]{0,300})\n([=\-~#*^\"'`:.+])\2{2,}\s*$", re.MULTILINE)
_ORG_TITLE: Final = re.compile(r"(?im)^#\+title:(?P<title>.{1,300})$|^\*+ (?P<heading>.{1,300})$")


def read_text(data: bytes, media_type: str, declared: str = "") -> FileText:
    text, charset = decode_as(data, declared) if declared else decode(data)
    text = _UNSTORABLE.sub("", text)
    if media_type == "text/markdown":
        said = described(text)
        return FileText(text, said.title, said.language, charset, said.metadata)
    return FileText(text, _title(text[:_HEAD], media_type), charset=charset)


def read_page(data: bytes, declared: str = "") -> FileText:
    text, charset = decode_as(data, declared) if declared else decode(data)
    page = markdown_of(_UNSTORABLE.sub("", text))
    return FileText(page.text, page.title, page.language, charset)


def _title(head: str, media_type: str) -> str:
    match media_type:
        case "text/x-rst":
            found = _RST_TITLE.search(head)
            return found["title"] if found else ""
        case "text/x-org":
            found = _ORG_TITLE.search(head)
            return (found["title"] or found["heading"] or "").strip() if found else ""
        case _:
            return ""

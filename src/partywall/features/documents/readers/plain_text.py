"""Text in any encoding: kept as it is, or read as its markup says."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from partywall.features.documents.html_text import markdown_of
from partywall.features.documents.readers.charsets import decode, decode_as
from partywall.features.documents.readers.file_text import FileText
from partywall.features.documents.readers.org import read_org
from partywall.features.documents.readers.rst import read_rst
from partywall.formats.markdown_title import described

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_MARKUPS: Final = {"text/x-rst": read_rst, "text/x-org": read_org}


def read_text(data: bytes, media_type: str, declared: str = "") -> FileText:
    text, charset = decode_as(data, declared) if declared else decode(data)
    text = _UNSTORABLE.sub("", text)
    if media_type == "text/markdown":
        said = described(text)
        return FileText(text, said.title, said.language, charset, said.metadata)
    if read := _MARKUPS.get(media_type):
        return replace(read(text), charset=charset)
    return FileText(text, charset=charset)


def read_page(data: bytes, declared: str = "") -> FileText:
    text, charset = decode_as(data, declared) if declared else decode(data)
    page = markdown_of(_UNSTORABLE.sub("", text))
    return FileText(page.text, page.title, page.language, charset)

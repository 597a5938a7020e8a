"""Files of older programs, by kreuzberg: DOC, RTF and MSG; of PPT only the title, unless it is damaged."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from kreuzberg import ExtractionConfig, extract_bytes_sync
from kreuzberg.exceptions import KreuzbergError

from partywall.features.documents.readers.file_text import FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.layout import best_title, one_line
from partywall.features.documents.readers.ppt import slides_of
from partywall.features.documents.readers.rtf_rows import with_marked_rows

_SLIDES: Final = "application/vnd.ms-powerpoint"
_MAIL: Final = "application/vnd.ms-outlook"
_RTF: Final = "application/rtf"
_ESCAPED: Final = re.compile(r"\\([!-/:-@\[-`{-~])")
_IMAGE: Final = re.compile(r"!\[([^\]]{0,1000})\]\([^)\s]{0,1000}\)")
_PARAGRAPH: Final = re.compile(r"\n*^-{5,}$\n*", re.MULTILINE)
_PASSWORD: Final = re.compile(r"password|encrypt", re.IGNORECASE)


def reader_of(media_type: str) -> Callable[[bytes], FileText]:
    return lambda data: _read(data, media_type)


def _read(data: bytes, media_type: str) -> FileText:
    config = ExtractionConfig(output_format="markdown", use_cache=False)
    try:
        given = with_marked_rows(data) if media_type == _RTF else data
        found = extract_bytes_sync(given, media_type, config)
    except (KreuzbergError, ValueError, RuntimeError) as error:
        protected = _PASSWORD.search(str(error))
        raise UnreadableFileError(Reason.PASSWORD_PROTECTED if protected else Reason.DAMAGED) from error
    text = _ESCAPED.sub(r"\1", _IMAGE.sub(r"\1", found.content))
    metadata = found.metadata
    if media_type == _SLIDES:  # kreuzberg divides it into paragraphs, not slides, and mixes in what was deleted
        text = slides_of(data) or _PARAGRAPH.sub("\n\n", text)
    title = metadata.get("subject" if media_type == _MAIL else "title")
    heading = next((line.lstrip("# ") for line in text.splitlines() if line.startswith("#")), "")
    language = metadata.get("language")
    return FileText(
        text.strip(" \n"),
        best_title(title if isinstance(title, str) else "", one_line(heading)),
        language if isinstance(language, str) else "",
        is_whole=media_type != _RTF or data.count(b"{") == data.count(b"}"),
    )


read_doc: Final = reader_of("application/msword")
read_ppt: Final = reader_of(_SLIDES)
read_rtf: Final = reader_of(_RTF)
read_msg: Final = reader_of(_MAIL)

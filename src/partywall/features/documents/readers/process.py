"""What a text process does for a file: finds out its kind, loads the reader, and answers with the text or a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Final, cast

from partywall.features.documents.readers.archive import read_archive
from partywall.features.documents.readers.file_text import MAX_TEXT, FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.kinds import Kind, kind_of

_READERS: Final = {
    Kind.PDF: ("pdf", "read_pdf"),
    Kind.DOCX: ("docx", "read_docx"),
    Kind.PPTX: ("pptx", "read_pptx"),
    Kind.SHEETS: ("sheets", "read_sheets"),
    Kind.ODF: ("odf", "read_odf"),
    Kind.EPUB: ("epub", "read_epub"),
    Kind.DOC: ("legacy", "read_doc"),
    Kind.PPT: ("legacy", "read_ppt"),
    Kind.MSG: ("legacy", "read_msg"),
    Kind.RTF: ("legacy", "read_rtf"),
    Kind.MAIL: ("mail", "read_mail"),
    Kind.XML: ("markup", "read_xml"),
    Kind.NOTEBOOK: ("markup", "read_notebook"),
    Kind.JSON: ("json_text", "read_json"),
}
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


def request(media_type: str) -> bytes:
    """The first line of what `read_file` reads; the file follows."""
    return media_type.encode() + b"\n"


def read_file(given: bytes) -> bytes:
    """Answers with a line of JSON and the text. `read_answer` parses it."""
    media_type, _, data = given.partition(b"\n")
    del given
    try:
        found = _read(data, media_type.decode())
        text = found.text.encode(errors="replace")
        if not text.strip():
            raise UnreadableFileError(Reason.NO_TEXT)
        if len(text) > MAX_TEXT:
            raise UnreadableFileError(Reason.TOO_LARGE)
    except UnreadableFileError as error:
        return json.dumps({"reason": error.reason}).encode()
    except (MemoryError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 - any failure of a reader means that the file is wrong; libraries panic with it
        return json.dumps({"reason": Reason.DAMAGED}).encode()
    language = found.language.strip().replace("_", "-")
    said = {
        "title": found.title.encode(errors="replace").decode(),
        "language": language if _LANGUAGE.fullmatch(language) else "",
        "charset": found.charset,
        "metadata": found.metadata,
    }
    return json.dumps(said).encode() + b"\n" + text


def read_answer(answer: bytes) -> FileText:
    """Raises UnreadableFileError."""
    head, _, text = answer.partition(b"\n")
    said = json.loads(head)
    if "reason" in said:
        raise UnreadableFileError(Reason(said["reason"]))
    return FileText(text.decode(), said["title"], said["language"], said["charset"], said["metadata"])


def _module(name: str) -> ModuleType:
    """Loaded only when a file of its kind comes, because the libraries are large."""
    return import_module(f"{__package__}.{name}")


def _read(data: bytes, media_type: str) -> FileText:
    kind = kind_of(data, media_type)
    if kind is Kind.ARCHIVE:
        return read_archive(data, _read_member)
    if kind in (Kind.TEXT, Kind.PAGE):
        module = _module("plain_text")
        if kind is Kind.PAGE:
            return cast("FileText", module.read_page(data))
        return cast("FileText", module.read_text(data, media_type))
    name, function = _READERS[kind]
    reader = cast("Callable[[bytes], FileText]", getattr(_module(name), function))
    return reader(data)


def _read_member(data: bytes, media_type: str) -> FileText:
    """A file of an archive. Raises UnreadableFileError for another archive, so that none is unpacked without end."""
    if kind_of(data, media_type) is Kind.ARCHIVE:
        raise UnreadableFileError(Reason.UNSUPPORTED)
    return _read(data, media_type)

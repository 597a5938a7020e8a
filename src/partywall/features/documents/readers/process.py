"""What a text process does for a file: finds out its kind, loads the reader, and answers with the text or a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import Final, NamedTuple, cast

from partywall.features.documents.readers.archive import Entries, Entry, read_entries
from partywall.features.documents.readers.file_text import MAX_TEXT, FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.kinds import Kind, kind_of, media_type_of
from partywall.features.documents.readers.ocr import Ocr, read_image
from partywall.formats.file_kinds import CONTAINERS

_READERS: Final = {
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
_VISIBLE: Final = re.compile(r"[^\s\x00-\x1f\x7f-\xa0\xad\u200b-\u200f\u2060\ufeff]")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


class Asked(NamedTuple):
    """How to read a file. Of an archive: the files from number `first`, if there are at most `max_files` in all.

    Without `ocr`, images and scanned pages are not read. `charset` is what the uploader says about a text.
    """

    media_type: str
    first: int = 0
    max_files: int = 1_000
    ocr: Ocr | None = None
    charset: str = ""


def request(asked: Asked) -> bytes:
    """The first line of what `read_file` reads; the file follows."""
    return json.dumps(asked).encode() + b"\n"


def _asked(line: bytes) -> Asked:
    media_type, first, max_files, ocr, charset = json.loads(line)
    return Asked(media_type, first, max_files, None if ocr is None else Ocr(*ocr), charset)


def read_file(given: bytes) -> bytes:
    """Answers with a line of JSON, and the text or the files of an archive. `read_answer` parses it."""
    line, _, data = given.partition(b"\n")
    del given
    try:
        found = _read(data, _asked(line))
        if isinstance(found, Entries):
            return _packed(found)
        text = found.text.encode(errors="replace")
        if not _VISIBLE.search(found.text):
            raise UnreadableFileError(Reason.NO_TEXT if found.is_whole else Reason.DAMAGED)
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
        "media_type": found.media_type,
        "ocr": found.ocr,
    }
    return json.dumps(said).encode() + b"\n" + text


def _packed(found: Entries) -> bytes:
    listed = [(each.path, len(each.data), each.reason) for each in found.entries]
    head = json.dumps({"entries": listed, "following": found.following})
    return b"".join((head.encode(), b"\n", *(each.data for each in found.entries)))


def _unpacked(listed: Iterable[tuple[str, int, str | None]], data: bytes) -> Iterator[Entry]:
    start = 0
    for path, size, reason in listed:
        yield Entry(path, data[start : start + size], Reason(reason) if reason else None)
        start += size


def read_answer(answer: bytes) -> FileText | Entries:
    """Raises UnreadableFileError."""
    head, _, text = answer.partition(b"\n")
    said = json.loads(head)
    if "reason" in said:
        raise UnreadableFileError(Reason(said["reason"]))
    if "entries" in said:
        return Entries(list(_unpacked(said["entries"], text)), said["following"])
    more = said["metadata"], said["media_type"], said["ocr"]
    return FileText(text.decode(), said["title"], said["language"], said["charset"], *more)


def _module(name: str) -> ModuleType:
    """Loaded only when a file of its kind comes, because the libraries are large."""
    return import_module(f"{__package__}.{name}")


def _read(data: bytes, asked: Asked) -> FileText | Entries:
    kind = kind_of(data, asked.media_type)
    if kind is Kind.ARCHIVE:
        return read_entries(data, asked.first, asked.max_files)
    found = _read_kind(kind, data, asked)
    return replace(found, media_type=media_type_of(kind, data)) if asked.media_type in CONTAINERS else found


def _read_kind(kind: Kind, data: bytes, asked: Asked) -> FileText:
    if kind in (Kind.TEXT, Kind.PAGE):
        module = _module("plain_text")
        if kind is Kind.PAGE:
            return cast("FileText", module.read_page(data, asked.charset))
        return cast("FileText", module.read_text(data, asked.media_type, asked.charset))
    if kind is Kind.PDF:
        return cast("FileText", _module("pdf").read_pdf(data, asked.ocr))
    if kind is Kind.IMAGE:
        if asked.ocr is None:
            raise UnreadableFileError(Reason.UNSUPPORTED)
        return read_image(data, asked.ocr)
    name, function = _READERS[kind]
    reader = cast("Callable[[bytes], FileText]", getattr(_module(name), function))
    return reader(data)

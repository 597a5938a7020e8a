"""Determines what a file is from its bytes. Its name and media type only tell kinds of text apart."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from partywall.features.documents.readers.file_text import Reason, UnreadableFileError
from partywall.features.documents.readers.package import Package
from partywall.formats.file_kinds import MEDIA_TYPES
from partywall.formats.text_signs import EMPTY_ZIP, image_type, is_pdf, is_text


class Kind(StrEnum):
    PDF = "pdf"
    DOCX = "docx"
    PPTX = "pptx"
    SHEETS = "sheets"
    ODF = "odf"
    EPUB = "epub"
    DOC = "doc"
    PPT = "ppt"
    MSG = "msg"
    RTF = "rtf"
    MAIL = "mail"
    XML = "xml"
    NOTEBOOK = "notebook"
    PAGE = "page"
    JSON = "json"
    ARCHIVE = "archive"
    IMAGE = "image"
    TEXT = "text"


_MARKUP_HEAD: Final = 1_024
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SECTOR: Final = 512
_WORD_MAGIC: Final = b"\xec\xa5"
_WORD_FLAGS: Final = 11
_WORD_ENCRYPTED: Final = 1
_TEXT_HEAD: Final = 64 * 1024
# Names of streams in a file of Office 97-2003.
_STREAMS: Final = (
    ("WordDocument", Kind.DOC), ("PowerPoint Document", Kind.PPT), ("Workbook", Kind.SHEETS), ("Book", Kind.SHEETS),
    ("__properties_version1.0", Kind.MSG),
)  # fmt: skip
_ENCRYPTED_STREAMS: Final = ("EncryptedPackage", "EncryptedSummary")
_PARTS: Final = (("word/", Kind.DOCX), ("ppt/", Kind.PPTX), ("xl/", Kind.SHEETS))
_DOCUMENTS: Final = ("application/vnd.", "application/msword", "application/pdf", "application/rtf")
_OPEN_DOCUMENT: Final = b"application/vnd.oasis.opendocument."
_OLE_SUFFIXES: Final = {Kind.DOC: ".doc", Kind.PPT: ".ppt", Kind.SHEETS: ".xls", Kind.MSG: ".msg"}
_ZIP_SUFFIXES: Final = {Kind.DOCX: ".docx", Kind.PPTX: ".pptx", Kind.SHEETS: ".xlsx", Kind.EPUB: ".epub"}
_TEXTS: Final = {
    "text/html": Kind.PAGE,
    "message/rfc822": Kind.MAIL,
    "application/x-ipynb+json": Kind.NOTEBOOK,
    "application/json": Kind.JSON,
    "application/xml": Kind.XML,
    "application/rss+xml": Kind.XML,
    "application/atom+xml": Kind.XML,
}


def media_type_of(kind: Kind, data: bytes) -> str:
    """Of what is in a ZIP or OLE file; empty if it is nothing more."""
    if data.startswith(_OLE):
        return MEDIA_TYPES.get(_OLE_SUFFIXES.get(kind, ""), "")
    package = Package(data)
    said = package.read("mimetype")[:100].strip().decode("latin-1") if "mimetype" in package else ""
    return said if said in MEDIA_TYPES.values() else MEDIA_TYPES.get(_ZIP_SUFFIXES.get(kind, ""), "")


def kind_of(data: bytes, media_type: str) -> Kind:
    """Raises UnreadableFileError."""
    if not data:
        raise UnreadableFileError(Reason.EMPTY)
    if is_pdf(data[:_TEXT_HEAD], says_so=media_type == "application/pdf"):
        return Kind.PDF
    if data.startswith(EMPTY_ZIP):
        raise UnreadableFileError(Reason.EMPTY)
    if data.startswith(b"PK\x03\x04"):
        return _packaged(Package(data))
    if data.startswith(_OLE):
        return _of_streams(data, media_type)
    if data.lstrip()[:5] == b"{\\rtf":
        return Kind.RTF
    if is_text(data[:_TEXT_HEAD]):
        return _of_text(data[:_MARKUP_HEAD].lstrip().lower(), media_type)
    if image_type(data) is not None:
        return Kind.IMAGE
    raise UnreadableFileError(_binary_reason(media_type))


def _of_text(head: bytes, media_type: str) -> Kind:
    """Programs save web pages and mails under the names of their own documents."""
    if media_type.startswith(_DOCUMENTS) and (b"<html" in head or b"<!doctype html" in head):
        return Kind.PAGE
    if media_type.startswith(_DOCUMENTS) and head.startswith(b"mime-version:"):
        return Kind.MAIL
    return _TEXTS.get(media_type, Kind.TEXT)


def _packaged(package: Package) -> Kind:
    said = package.read("mimetype")[:100].strip() if "mimetype" in package else b""
    if said == b"application/epub+zip":
        return Kind.EPUB
    if said.startswith(_OPEN_DOCUMENT):
        return Kind.SHEETS if b"spreadsheet" in said else Kind.ODF
    kind = _by_parts(package)
    if kind is not Kind.ARCHIVE and package.is_encrypted:
        raise UnreadableFileError(Reason.PASSWORD_PROTECTED)
    return kind


def _by_parts(package: Package) -> Kind:
    found = next((kind for folder, kind in _PARTS if any(name.startswith(folder) for name in package.names)), None)
    if found is None and "META-INF/container.xml" in package:
        return Kind.EPUB
    if found is None and "content.xml" in package:
        return Kind.ODF
    return found or Kind.ARCHIVE


def _of_streams(data: bytes, media_type: str) -> Kind:
    if any(_has_stream(data, name) for name in _ENCRYPTED_STREAMS):
        raise UnreadableFileError(Reason.PASSWORD_PROTECTED)
    kind = next((kind for name, kind in _STREAMS if _has_stream(data, name)), None)
    if kind is None:
        raise UnreadableFileError(_binary_reason(media_type))
    if kind is Kind.DOC and _is_encrypted_word(data):
        raise UnreadableFileError(Reason.PASSWORD_PROTECTED)
    return kind


def _has_stream(data: bytes, name: str) -> bool:
    """Whether the directory has an entry of this name, in UTF-16 and ended by NUL."""
    wanted = re.escape(f"{name}\0".encode("utf-16-le"))
    return any(found.start() % 128 == 0 for found in re.finditer(wanted, data))


def _is_encrypted_word(data: bytes) -> bool:
    """The first block of a Word file begins on a sector, and has a flag for encryption."""
    starts = (at for at in range(_SECTOR, len(data), _SECTOR) if data[at : at + 2] == _WORD_MAGIC)
    start = next(starts, None)
    return start is not None and bool(data[start + _WORD_FLAGS : start + _WORD_FLAGS + 1][0] & _WORD_ENCRYPTED)


def _binary_reason(media_type: str) -> Reason:
    """A file that says it is a document but does not look like one has lost its beginning."""
    return Reason.DAMAGED if media_type.startswith(_DOCUMENTS) else Reason.UNSUPPORTED

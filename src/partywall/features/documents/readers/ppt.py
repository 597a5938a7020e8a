"""Slides of PowerPoint 97-2003 (PPT), slide by slide: titles, texts and notes (MS-PPT)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from partywall.features.documents.readers.layout import Writer, clean
from partywall.features.documents.readers.ole import OleError, OleFile

_DOCUMENT: Final = 0x03E8
_NOTES: Final = 0x03F0
_NOTES_ATOM: Final = 0x03F1
_PERSIST: Final = 0x03F3
_LIST: Final = 0x0FF0
_EDIT: Final = 0x0FF5
_DIRECTORY: Final = 0x1772
_TEXT_HEADER: Final = 0x0F9F
_TEXT_REFERENCE: Final = 0x0F9E
_UNICODE: Final = 0x0FA0
_BYTES: Final = 0x0FA8
_CONTAINER: Final = 0xF
_TITLES: Final = (0, 6)
_IN_SLIDES, _IN_NOTES = 0, 2
_MAX_DEPTH: Final = 32
_MAX_EDITS: Final = 4_096
_MAX_SLIDES: Final = 10_000


class _Record(NamedTuple):
    kind: int
    number: int
    is_container: bool
    start: int
    end: int


@dataclass(slots=True)
class _Text:
    is_title: bool = False
    text: str = ""


@dataclass(slots=True)
class _Slide:
    """`texts` are those of the outline, to which the drawing refers by number."""

    place: int
    id: int
    texts: list[_Text] = field(default_factory=list)


class _Presentation:
    """The slides as they were saved last. Raises OleError, struct.error or KeyError for a damaged file."""

    def __init__(self, data: bytes) -> None:
        file = OleFile(data)
        self._data = file.stream("PowerPoint Document")
        (edit,) = struct.unpack_from("<I", file.stream("Current User"), 16)
        self._places, document = self._directory(edit)
        lists = [each for each in self._records(self._record(self._places[document])) if each.kind == _LIST]
        self.slides = [slide for each in lists if each.number == _IN_SLIDES for slide in self._listed(each)]
        self._notes = dict(
            note
            for each in lists
            if each.number == _IN_NOTES
            for slide in self._listed(each)
            for note in self._note(slide)
        )

    def write(self, slide: _Slide, writer: Writer) -> None:
        texts = list(self._texts(self._record(slide.place), slide.texts))
        title = next((each for each in texts if each.is_title and each.text), None)
        if title is not None:
            writer.title(2, title.text)
        for each in texts:
            if each is not title:
                writer.block(each.text)
        writer.items("Notes", self._notes.get(slide.id, ()))

    def _note(self, page: _Slide) -> Iterator[tuple[int, list[str]]]:
        """The slide's id, and the texts of its notes."""
        record = self._record(page.place)
        for each in self._records(record):
            if record.kind == _NOTES and each.kind == _NOTES_ATOM:
                (slide,) = struct.unpack_from("<I", self._data, each.start)
                yield slide, [line for text in self._texts(record, page.texts) for line in text.text.split("\n")]

    def _directory(self, edit: int) -> tuple[dict[int, int], int]:
        """Where each part stands by its number, and the number of the document. Newer edits come first."""
        places: dict[int, int] = {}
        document = 0
        for _ in range(_MAX_EDITS):
            record = self._record(edit)
            if record.kind != _EDIT:
                raise OleError
            edit, directory, newest = struct.unpack_from("<8x3I", self._data, record.start)
            document = document or newest
            for number, place in self._entries(self._record(directory)):
                places.setdefault(number, place)
            if not edit:
                break
        return places, document

    def _entries(self, record: _Record) -> Iterator[tuple[int, int]]:
        at = record.start
        while record.kind == _DIRECTORY and at + 4 <= record.end:
            (head,) = struct.unpack_from("<I", self._data, at)
            first, count = head & 0xFFFFF, head >> 20
            for number, (place,) in enumerate(struct.iter_unpack("<I", self._data[at + 4 : at + 4 + 4 * count])):
                yield first + number, place
            at += 4 + 4 * count

    def _listed(self, record: _Record) -> Iterator[_Slide]:
        slide: _Slide | None = None
        for each in self._records(record):
            if each.kind == _PERSIST:
                if slide is not None:
                    yield slide
                reference, id_ = struct.unpack_from("<I8xI", self._data, each.start)
                slide = _Slide(self._places[reference], id_)
            elif slide is not None:
                self._add(slide.texts, each)
        if slide is not None:
            yield slide

    def _texts(self, record: _Record, outline: list[_Text], depth: int = 0) -> Iterator[_Text]:
        own: list[_Text] = []
        for each in self._records(record):
            if each.is_container and depth < _MAX_DEPTH:
                yield from self._texts(each, outline, depth + 1)
            elif each.kind == _TEXT_REFERENCE:
                (number,) = struct.unpack_from("<I", self._data, each.start)
                own += outline[number : number + 1]
            else:
                self._add(own, each)
        yield from own

    def _add(self, texts: list[_Text], record: _Record) -> None:
        if record.kind == _TEXT_HEADER:
            (kind,) = struct.unpack_from("<I", self._data, record.start)
            texts.append(_Text(kind in _TITLES))
        elif record.kind in (_UNICODE, _BYTES) and texts:
            written = self._data[record.start : record.end]
            text = written.decode("utf-16-le", "ignore") if record.kind == _UNICODE else written.decode("latin-1")
            texts[-1].text += clean(text.replace("\v", "\n"))

    def _records(self, record: _Record) -> Iterator[_Record]:
        at = record.start
        while at + 8 <= record.end:
            inner = self._record(at)
            yield inner._replace(end=min(inner.end, record.end))
            at = inner.end

    def _record(self, at: int) -> _Record:
        head, kind, length = struct.unpack_from("<HHI", self._data, at)
        return _Record(kind, head >> 4, head & 0xF == _CONTAINER, at + 8, at + 8 + length)


def slides_of(data: bytes) -> str | None:
    """The text, slide by slide; None if the file is of an older version, or damaged."""
    writer = Writer()
    try:
        presentation = _Presentation(data)
        for number, slide in enumerate(presentation.slides[:_MAX_SLIDES]):
            if number:
                writer.page()
            presentation.write(slide, writer)
    except (OleError, struct.error, KeyError, IndexError):
        return None
    return writer.text() or None

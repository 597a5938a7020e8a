"""Reads XML as a stream of events, so that neither size nor depth of a document costs memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple
from xml.parsers import expat

from partywall.features.documents.readers.xml_entities import Entities

MAX_DEPTH: Final = 2_000


class Start(NamedTuple):
    """Names are without their prefixes."""

    name: str
    attributes: dict[str, str]


class End(NamedTuple):
    name: str


type Event = Start | End | str


class XmlError(Exception):
    """The document is not well formed, is nested too deeply, or declares entities where none are expected."""


class _Collector:
    def __init__(self, entities: Entities | None) -> None:
        self._entities = entities
        self.events: list[Event] = []
        self._depth = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise XmlError("nested too deeply")
        plain = {_local(key): value for key, value in attributes.items()}
        self.events.append(Start(_local(name), plain))

    def end(self, name: str) -> None:
        self._depth -= 1
        self.events.append(End(_local(name)))

    def declare(self, name: str, is_parameter: bool, text: str | None, *_: object) -> None:
        if self._entities is None:
            raise XmlError("declares entities")
        self._entities.declare(name, text, is_parameter=is_parameter)

    def other(self, data: str) -> None:
        """References to entities, comments and declarations."""
        if self._entities is not None and data.startswith("&") and data.endswith(";"):
            self.events.append(self._entities.text_of(data[1:-1]))


def xml_events(pieces: Iterable[bytes], entities: Entities | None = None) -> Iterator[Event]:
    """The events of a document in pieces. Raises XmlError where the document is broken, after what came before.

    With `entities` it may declare some: raises EntityError if they are too large.
    """
    collector = _Collector(entities)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = collector.start
    parser.EndElementHandler = collector.end
    parser.CharacterDataHandler = collector.events.append
    parser.EntityDeclHandler = collector.declare
    if entities is not None:
        parser.DefaultHandler = collector.other
    try:
        for piece in pieces:
            parser.Parse(piece, False)
            yield from collector.events
            collector.events.clear()
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        yield from collector.events
        raise XmlError(str(error)) from error
    yield from collector.events


def _local(name: str) -> str:
    return name.rpartition(":")[2]

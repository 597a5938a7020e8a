"""Books (EPUB): their chapters in reading order."""

from __future__ import annotations

import posixpath
from typing import Final

from partywall.features.documents.html_text import markdown_of
from partywall.features.documents.readers.charsets import decode
from partywall.features.documents.readers.file_text import FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.layout import Writer
from partywall.features.documents.readers.package import Package, properties, resolved
from partywall.features.documents.readers.xml_events import Start

_PAGES: Final = frozenset({"application/xhtml+xml", "text/html"})
_MAX_CHAPTERS: Final = 20_000


def read_epub(data: bytes) -> FileText:
    package = Package(data)
    if "META-INF/encryption.xml" in package and b"xmlenc#aes" in package.read("META-INF/encryption.xml"):
        raise UnreadableFileError(Reason.PASSWORD_PROTECTED)
    main = _main_part(package)
    writer = Writer()
    for part in _chapters(package, main):
        text = decode(package.read(part))[0]
        writer.block(markdown_of(text).text)
    said = properties(package.extra_events(main))
    return FileText(writer.text(), said.get("title", ""), said.get("language", ""), is_whole=package.is_whole)


def _main_part(package: Package) -> str:
    for event in package.extra_events("META-INF/container.xml"):
        if isinstance(event, Start) and event.name == "rootfile":
            return event.attributes.get("full-path", "")
    found = next((name for name in package.names if name.endswith(".opf")), None)
    if found is None:
        raise UnreadableFileError(Reason.DAMAGED)
    return found


def _chapters(package: Package, main: str) -> list[str]:
    folder = posixpath.dirname(main)
    parts: dict[str, str] = {}
    spine: list[str] = []
    for event in package.extra_events(main):
        if not isinstance(event, Start):
            continue
        if event.name == "item" and event.attributes.get("media-type") in _PAGES:
            parts[event.attributes.get("id", "")] = resolved(folder, event.attributes.get("href", ""))
        elif event.name == "itemref":
            spine.append(event.attributes.get("idref", ""))
    return [parts[id_] for id_ in spine if id_ in parts][:_MAX_CHAPTERS] or list(parts.values())[:_MAX_CHAPTERS]

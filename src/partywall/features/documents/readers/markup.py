"""XML and notebooks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from partywall.features.documents.html_text import markdown_of
from partywall.features.documents.readers.charsets import decode
from partywall.features.documents.readers.file_text import FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.layout import Writer, clean, one_line
from partywall.features.documents.readers.xml_entities import Entities, EntityError
from partywall.features.documents.readers.xml_events import Start, XmlError, xml_events

if TYPE_CHECKING:
    from pydantic import JsonValue  # not needed to run, and slow to import

_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]{0,2000}>")
_ENCODING: Final = re.compile(r"""^\s{0,99}<\?xml[^>]{0,300}\?>""")


def read_xml(data: bytes) -> FileText:
    """The texts of the elements, each a paragraph. HTML inside of them is read as such."""
    text, charset = decode(data)
    writer = Writer()
    title, found = "", False
    try:
        for name, said in _texts(_ENCODING.sub("", text).encode()):
            found = True
            if name == "title":
                title = title or one_line(said)
                writer.title(2, said)
            elif _TAG.search(said):
                writer.block(markdown_of(said).text)
            else:
                writer.paragraph(said)
    except XmlError as error:
        if not found:
            raise UnreadableFileError(Reason.DAMAGED) from error
    except EntityError as error:
        raise UnreadableFileError(Reason.UNSUPPORTED) from error
    return FileText(writer.text(), title, charset=charset)


def _texts(data: bytes) -> Iterator[tuple[str, str]]:
    """The texts between tags, each with the name of its element."""
    names: list[str] = []
    parts: list[str] = []
    for event in xml_events([data], Entities()):
        if isinstance(event, str):
            parts.append(event)
            continue
        if (said := "".join(parts)).strip():
            yield (names[-1] if names else ""), said
        parts.clear()
        if isinstance(event, Start):
            names.append(event.name)
        elif names:
            names.pop()


def read_notebook(data: bytes) -> FileText:
    """Text cells as they are, code cells with the text that they printed."""
    try:
        notebook: JsonValue = json.loads(decode(data)[0])
    except (ValueError, RecursionError) as error:
        raise UnreadableFileError(Reason.DAMAGED) from error
    parts = notebook if isinstance(notebook, dict) else {}
    cells = parts.get("cells")
    if not isinstance(cells, list):
        raise UnreadableFileError(Reason.DAMAGED)
    writer = Writer()
    language = _language(parts.get("metadata"))
    for cell in cells:
        if not isinstance(cell, dict):
            continue
        source = _joined(cell.get("source")).strip("\n")
        if cell.get("cell_type") == "code":
            writer.block(f"```{language}\n{source}\n```" if source else "")
            writer.block(clean("\n".join(_printed(cell.get("outputs")))))
        else:
            writer.block(source)
    text = writer.text()
    heading = next((line.lstrip("# ") for line in text.splitlines() if line.startswith("# ")), "")
    return FileText(text, one_line(heading))


def _language(metadata: JsonValue) -> str:
    info = metadata.get("language_info") if isinstance(metadata, dict) else None
    name = info.get("name") if isinstance(info, dict) else None
    return name if isinstance(name, str) and name.isalnum() else ""


def _printed(outputs: JsonValue) -> Iterator[str]:
    for output in outputs if isinstance(outputs, list) else []:
        if isinstance(output, dict):
            data = output.get("data")
            yield _joined(output.get("text"))
            yield _joined(data.get("text/plain")) if isinstance(data, dict) else ""


def _joined(source: JsonValue) -> str:
    """A text, or a list of its lines."""
    if isinstance(source, str):
        return source
    return "".join(part for part in source if isinstance(part, str)) if isinstance(source, list) else ""

"""JSON: a line `name: value` for each member, and an empty line between records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from partywall.features.documents.readers.charsets import decode
from partywall.features.documents.readers.file_text import FileText
from partywall.features.documents.readers.layout import Writer, clean

if TYPE_CHECKING:
    from pydantic import JsonValue  # not needed to run, and slow to import

_MAX_DEPTH: Final = 200


def read_json(data: bytes) -> FileText:
    """What is not JSON, or is nested too deeply, stays as it is."""
    text, charset = decode(data)
    try:
        value: JsonValue = json.loads(text)
        writer = Writer()
        for record in value if isinstance(value, list) else [value]:
            writer.block("\n".join(_lines(record, 0)))
    except (ValueError, RecursionError):
        return FileText(clean(text), charset=charset)
    return FileText(writer.text(), charset=charset)


def _lines(value: JsonValue, depth: int) -> Iterator[str]:
    indent = "  " * min(depth, 8)
    if depth > _MAX_DEPTH:
        raise RecursionError
    if isinstance(value, dict):
        for name, member in value.items():
            if isinstance(member, dict | list):
                yield f"{indent}{name}:"
                yield from _lines(member, depth + 1)
            else:
                yield f"{indent}{name}: {_shown(member)}"
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict | list):
                yield from _lines(item, depth + 1)
            else:
                yield f"{indent}- {_shown(item)}"
    else:
        yield f"{indent}{_shown(value)}"


def _shown(value: JsonValue) -> str:
    return clean(value) if isinstance(value, str) else json.dumps(value)

"""The fields that a filter can name, and how each may be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic_core import PydanticCustomError

from partywall.features.documents.constants import MAX_EXTERNAL_ID
from partywall.features.documents.filters.tree import METADATA, RANGES, Field, Operator

LONGEST_PATH: Final = 8
LONGEST_NAME: Final = MAX_EXTERNAL_ID


class Kind(StrEnum):
    TEXT = "text"
    CHOICE = "choice"
    INSTANT = "instant"
    ID = "id"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class FieldKind:
    kind: Kind
    operators: frozenset[Operator]
    choices: frozenset[str] = frozenset()


_EQUAL: Final = frozenset({Operator.EQ, Operator.IN})
_TEXT: Final = _EQUAL | {Operator.PREFIX, Operator.CONTAINS}
_JSON: Final = FieldKind(Kind.JSON, frozenset(Operator))
FIELDS: Final[Mapping[str, FieldKind]] = {
    "id": FieldKind(Kind.ID, _EQUAL),
    "external_id": FieldKind(Kind.TEXT, _TEXT | {Operator.EXISTS}),
    "title": FieldKind(Kind.TEXT, _TEXT),
    "status": FieldKind(Kind.CHOICE, _EQUAL, frozenset({"draft", "published"})),
    "index_status": FieldKind(Kind.CHOICE, _EQUAL, frozenset({"pending", "indexed", "failed"})),
    "media_type": FieldKind(Kind.TEXT, _TEXT),
    "created_at": FieldKind(Kind.INSTANT, RANGES),
    "updated_at": FieldKind(Kind.INSTANT, RANGES),
}


def kind_of(field: Field) -> FieldKind:
    return _JSON if field.path else FIELDS[field.name]


def read_field(value: object) -> Field:
    """`status`, `metadata.key.inner`, or as a list for keys with dots: `["metadata", "a.b"]`.

    Raises PydanticCustomError.
    """
    if isinstance(value, str) and len(value) <= LONGEST_NAME:
        name, *path = value.split(".")
    elif isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        name, *path = value
    else:
        raise PydanticCustomError("string_type", "A field is a name, or the list of its parts")
    _check(name, path)
    return Field(name, tuple(path))


def _check(name: str, path: Sequence[str]) -> None:
    if name == METADATA and path:
        if len(path) > LONGEST_PATH or sum(map(len, path)) > LONGEST_NAME:
            raise PydanticCustomError("too_long", "The name of a metadata key is too long")
        return
    if path or name not in FIELDS:
        known = ", ".join(FIELDS)
        raise PydanticCustomError(
            "literal_error", "No such field: a filter knows {known} and metadata.KEY", {"known": known}
        )

"""Computes a document's fields after a change. Pure functions."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from pydantic import JsonValue

from partywall.core.errors import InvalidInputError
from partywall.core.field_errors import FieldCode
from partywall.core.schemas import JsonObject
from partywall.features.documents.constants import LANGUAGE, MAX_METADATA_BYTES
from partywall.features.documents.schemas import DocumentPatch, DocumentReplace, Status, metadata_bytes


@dataclass(frozen=True, slots=True)
class DocumentFields:
    """All fields that callers set. A content of None means the current content, which is then not read."""

    title: str
    content: str | None
    external_id: str | None
    status: Status
    metadata: JsonObject

    def differs_in(self, other: DocumentFields) -> set[str]:
        """The names of differing fields, without the content. JSON's `1`, `1.0` and `true` are three values."""
        names = {name for name in ("title", "external_id", "status") if _of(self, name) != _of(other, name)}
        return names | ({"metadata"} if _canonical(self.metadata) != _canonical(other.metadata) else set())

    @property
    def language(self) -> str | None:
        return language_of(self.metadata)


def language_of(metadata: JsonObject) -> str | None:
    """The value of `language` as given, or None if it is not a string."""
    tag = metadata.get(LANGUAGE)
    return tag if isinstance(tag, str) else None


def _of(wanted: DocumentFields, name: str) -> object:
    return getattr(wanted, name)


def _canonical(metadata: JsonObject) -> str:
    return json.dumps(metadata, sort_keys=True)


def replaced(body: DocumentReplace) -> DocumentFields:
    return DocumentFields(body.title, body.content, body.external_id, body.status, body.metadata)


def patched(current: DocumentFields, patch: DocumentPatch) -> DocumentFields:
    """Apply a JSON merge patch (RFC 7396). Raises InvalidInputError if the merged metadata is too large."""
    given = patch.model_fields_set
    plain = {name: getattr(patch, name) for name in given - {"metadata"}}
    if "metadata" not in given:
        return replace(current, **plain)
    metadata = {} if patch.metadata is None else merge(current.metadata, patch.metadata)
    if metadata_bytes(metadata) > MAX_METADATA_BYTES:
        raise InvalidInputError(
            "/metadata", FieldCode.TOO_LARGE, f"Metadata may have at most {MAX_METADATA_BYTES} bytes"
        )
    return replace(current, metadata=metadata, **plain)


def merge(target: JsonObject, patch: JsonObject) -> JsonObject:
    """RFC 7396 for two objects: null removes, an object merges, anything else replaces."""
    merged = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged_value(merged.get(name), value)
    return merged


def _merged_value(target: JsonValue, patch: JsonValue) -> JsonValue:
    if not isinstance(patch, dict):
        return patch
    return merge(target if isinstance(target, dict) else {}, patch)

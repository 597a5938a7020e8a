"""The fields of the document schemas as SELECT columns, which the database turns into JSON."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import ColumnElement, Integer, Text, and_, case, func, literal_column
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from partywall.core.db.json_rows import rfc3339
from partywall.features.documents.constants import LARGEST_BLANK, READING

# A visible character: no whitespace, control character, joiner, direction mark, variation selector or byte order mark.
_VISIBLE = (
    r"""E'[^\\s\u0001-\u001F\u007F-\u00A0\u00AD\u061C\u1680\u180E\u2000-\u200F\u2028-\u202F"""
    r"""\u205F-\u206F\u3000\uFE00-\uFE0F\uFEFF]'"""
)
_READING = "'" + READING.replace("'", "''") + "'"


class Rows(Protocol):
    """A table, a CTE or a subquery with the columns of the table."""

    @property
    def c(self) -> ReadOnlyColumnCollection[str, ColumnElement[object]]: ...


def document_columns(rows: Rows, *, content: bool) -> list[ColumnElement[object]]:
    """In the order of `schemas.DocumentSummary`, with `content` last."""
    plain = ("id", "external_id", "title", "metadata", "status", "index_status", "index_error", "media_type", "size",
             "content_sha256", "revision", "version")  # fmt: skip
    return [
        *(rows.c[name] for name in plain),
        principal_id(rows),
        instant(rows, "created_at"),
        instant(rows, "updated_at"),
        _warnings(rows),
        *([rows.c.content] if content else []),
    ]


def _warnings(rows: Rows) -> ColumnElement[object]:
    """`no_text` for content without a visible character, unless it is yet to be read from a file.

    Only texts of up to LARGEST_BLANK bytes are checked.

    Text from HTML pages is stripped, so a blank page always falls under the limit.
    """
    blank = and_(
        rows.c["size"] <= literal_column(str(LARGEST_BLANK), Integer),
        rows.c["content"].op("!~")(literal_column(_VISIBLE, Text)),
        rows.c["index_error"].is_distinct_from(literal_column(_READING, Text)),
    )
    return case(
        (blank, literal_column("""'["no_text"]'::json""", JSON)), else_=literal_column("'[]'::json", JSON)
    ).label("warnings")


def version_columns(rows: Rows) -> list[ColumnElement[object]]:
    """In the order of `schemas.VersionSummary`."""
    return [
        *(rows.c[name] for name in ("number", "title", "size", "content_sha256")),
        principal_id(rows),
        instant(rows, "created_at"),
    ]


def instant(rows: Rows, name: str) -> ColumnElement[object]:
    return rfc3339(rows.c[name]).label(name)


def principal_id(rows: Rows) -> ColumnElement[object]:
    """The id in a principal such as `user:<id>`."""
    return func.split_part(rows.c.created_by, literal_column("':'", Text), literal_column("2")).label("created_by")

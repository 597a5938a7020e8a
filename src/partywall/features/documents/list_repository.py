"""The list of documents, page by page, as JSON built in the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Select, SQLColumnExpression, Text, bindparam, func, null, select

from partywall.core.db.keyset import Keyset
from partywall.core.db.scoped_query import OPENED, PROJECT_ID, ScopedQuery
from partywall.features.documents.columns import document_columns
from partywall.features.documents.filters.matches import Matching
from partywall.features.documents.models import DOCUMENT, Document
from partywall.features.documents.pages import short_page, unless_large, whole_page

type Found = Select[*tuple[object, ...]]
type Proof = ColumnElement[bool]

KEYSET: Final = Keyset(
    {"created_at": Document.created_at, "updated_at": Document.updated_at, "title": Document.title}, Document.id
)
_ONE_MORE: Final = bindparam("one_more", type_=Integer)
_OFFSET: Final = bindparam("offset", type_=Integer)


class Listing(NamedTuple):
    """The kind of a list query: its sort, the names of its filters, and whether it continues after a cursor or counts.

    A `short` page ends once its rows have the maximum bytes of a page.
    """

    sort: str
    goes_on: bool
    counts: bool
    filters: frozenset[str]
    short: bool = False

    @property
    def is_long(self) -> bool:
        """Whether it may scan the whole project. The external id has an index."""
        return self.counts or (bool(self.filters) and "external_id" not in self.filters)


@cache
def page_of(listing: Listing) -> ScopedQuery:
    """Compiled on first use. The schema's sorts and filters limit how many there are.

    The items are NULL if they are too large: then use the `short` page.
    """
    return _page(listing, None)


def page_of_matching(listing: Listing, matching: Matching) -> ScopedQuery:
    """The same with a filter, compiled for each request."""
    return _page(listing, matching)


def _page(listing: Listing, matching: Matching | None) -> ScopedQuery:
    def page(allowed: Proof) -> Found:
        after = [KEYSET.after(listing.sort)] if listing.goes_on else []
        conditions = (*_conditions(listing, matching), allowed, *after)
        if listing.counts:
            conditions = (DOCUMENT.c.project_id == PROJECT_ID, DOCUMENT.c.id.in_(_behind_offset(listing, conditions)))
        shown = select(*document_columns(DOCUMENT, content=False)).where(*conditions)
        rows = shown.order_by(*KEYSET.order(listing.sort)).limit(_ONE_MORE).correlate(OPENED).lateral("chosen")
        place = (rows, listing.sort.removeprefix("-"), "id", _total(listing, matching, allowed))
        return short_page(*place) if listing.short else unless_large(whole_page(*place))

    return ScopedQuery.read(page)


def _conditions(listing: Listing, matching: Matching | None) -> Iterator[ColumnElement[bool]]:
    yield Document.project_id == PROJECT_ID
    if matching is not None:
        yield matching.condition
    for name in sorted(listing.filters):
        given = bindparam(name, type_=Text)
        if name == "q_title":
            yield func.strpos(func.lower(Document.title), func.lower(given)) > 0
        else:
            yield getattr(Document, name) == given


def _total(listing: Listing, matching: Matching | None, allowed: Proof) -> SQLColumnExpression[object]:
    if not listing.counts:
        return null()
    counted = select(func.count()).select_from(Document).where(*_conditions(listing, matching), allowed)
    return counted.correlate(OPENED).scalar_subquery()


def _behind_offset(listing: Listing, conditions: Sequence[ColumnElement[bool]]) -> Select[UUID]:
    """Only ids: PostgreSQL would compute the costly columns for skipped rows too."""
    found = (
        select(Document.id).where(Document.project_id == PROJECT_ID, *conditions).order_by(*KEYSET.order(listing.sort))
    )
    return found.limit(_ONE_MORE).offset(_OFFSET).correlate(OPENED)

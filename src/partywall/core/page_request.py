"""Reads one page of a list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from partywall.core.db.keyset import After, Keyset
from partywall.core.pagination import Cursors
from partywall.core.schemas import Page, SortedQuery

# A repository's `page`: sort, limit, offset, and the position to continue after.
type Rows[R] = Callable[[str, int, int, After | None], Awaitable[Sequence[R]]]


class ShortPage[R](list[R]):
    """Rows cut at the byte limit of a page: more follow."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request for one page of a list with keyset pagination.

    `listing` identifies the list with its filters; a cursor is valid only for the same listing and sort. Raises
    InvalidInputError if the query has both cursor and offset.
    """

    query: SortedQuery
    cursors: Cursors
    keyset: Keyset
    listing: tuple[object, ...]

    def __post_init__(self) -> None:
        self.query.refuse_both()

    async def page[R, Item](
        self,
        rows: Rows[R],
        count: Callable[[], Awaitable[int]],
        present: Callable[[R], Item],
        position: Callable[[Item], tuple[datetime | str, UUID]],
    ) -> Page[Item]:
        """`position` returns an item's sort value and its id. Raises InvalidInputError for a bad cursor."""
        query, listing = self.query, (*self.listing, self.query.sort)
        after = (
            self.keyset.parse(query.sort, self.cursors.decode(listing, query.cursor, 2))
            if query.cursor is not None
            else None
        )
        found = await rows(query.sort, query.limit + 1, query.offset or 0, after)
        items = [present(row) for row in found[: query.limit]]
        more = len(found) > query.limit or isinstance(found, ShortPage)
        return Page(
            items=items,
            next_cursor=self.cursors.encode(listing, self.keyset.written(*position(items[-1]))) if more else None,
            total=await count() if query.offset is not None else None,
        )

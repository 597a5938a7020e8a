from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from partywall.core.db.keyset import After, Keyset
from partywall.core.pagination import Cursors
from partywall.core.schemas import Page, SortedQuery

# What a repository's `page` takes: sort, limit, offset, and behind what it goes on.
type Rows[R] = Callable[[str, int, int, After | None], Awaitable[Sequence[R]]]


class ShortPage[R](list[R]):
    """Rows that have as many bytes as a page may have: more of them follow."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One page of a list that a keyset walks.

    `listing` tells the list from every other, its filters included: a cursor is good for the same listing and sort.
    Raises InvalidInputError where the query gives cursor and offset.
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
        """`position` is an item's value of the sort's column, and its id. Raises InvalidInputError for a bad cursor."""
        query, listing = self.query, (*self.listing, self.query.sort)
        after = self.keyset.parse(query.sort, self.cursors.decode(listing, query.cursor, 2)) if query.cursor else None
        found = await rows(query.sort, query.limit + 1, query.offset or 0, after)
        items = [present(row) for row in found[: query.limit]]
        more = len(found) > query.limit or isinstance(found, ShortPage)
        return Page(
            items=items,
            next_cursor=self.cursors.encode(listing, self.keyset.written(*position(items[-1]))) if more else None,
            total=await count() if query.offset is not None else None,
        )

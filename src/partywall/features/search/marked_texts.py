"""Finds what to highlight in the passages of an answer: no transaction is open, and others get their turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scoped_query import ROLE, ScopedQuery
from partywall.core.tenancy import ProjectScope
from partywall.features.search.highlights import Highlighter, Span
from partywall.features.search.results import Result
from partywall.features.search.terms import TERMS, WordList

AT_ONCE: Final = 10
"""Passages that are handled before other requests get their turn; they take about 2 ms."""

_MATCHING: Final = """
WITH stem AS MATERIALIZED ({terms})
SELECT wall.open_scope(:principal, :project_id) AS {role}, ARRAY(
    SELECT number FROM stem WHERE term IN (SELECT term FROM stem WHERE number <= CAST(:asked AS integer))
) AS numbers
"""
_MATCHED: Final = ScopedQuery.text(_MATCHING.format(terms=TERMS, role=ROLE))


async def marked(
    reader: ScopedReader, scope: ProjectScope, asked: WordList, results: Sequence[Result]
) -> AsyncIterator[tuple[Result, list[Span]]]:
    """The results in their order, with the places of the words that have a stem in common with those `asked`."""
    highlighter = Highlighter.of(asked)
    async for _, each in _in_turns(results):
        highlighter.add(each.found.configuration, each.found.text)
    if results:
        values = {**highlighter.words.parameters, "asked": len(asked.numbers)}
        _, row = await reader.row(_MATCHED, scope.project_id, values)
        highlighter.mark(set(row["numbers"]))
    async for position, each in _in_turns(results):
        yield each, highlighter.spans(position)


async def _in_turns(results: Sequence[Result]) -> AsyncIterator[tuple[int, Result]]:
    for position, each in enumerate(results):
        if position and position % AT_ONCE == 0:
            await asyncio.sleep(0)
        yield position, each

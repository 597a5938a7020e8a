"""Finds what to highlight in the passages of an answer: in a thread, while no transaction is open."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scoped_query import ROLE, ScopedQuery
from partywall.core.tenancy import ProjectScope
from partywall.features.search.highlights import Highlighter, Span
from partywall.features.search.results import Result
from partywall.features.search.terms import TERMS, WordList

_MATCHING: Final = """
WITH stem AS MATERIALIZED ({terms})
SELECT wall.open_scope(:principal, :project_id) AS {role}, ARRAY(
    SELECT number FROM stem WHERE term IN (SELECT term FROM stem WHERE number <= CAST(:asked AS integer))
) AS numbers
"""
_MATCHED: Final = ScopedQuery.text(_MATCHING.format(terms=TERMS, role=ROLE))


async def marked(
    reader: ScopedReader, scope: ProjectScope, asked: WordList, results: Sequence[Result]
) -> list[tuple[Result, list[Span]]]:
    """The results in their order, with the places of the words that have a stem in common with those `asked`."""
    if not results:
        return []
    highlighter = Highlighter.of(asked)
    await asyncio.to_thread(_add, highlighter, results)
    values = {**highlighter.words.parameters, "asked": len(asked.numbers)}
    _, row = await reader.row(_MATCHED, scope.project_id, values)
    spans = await asyncio.to_thread(_spans, highlighter, set(row["numbers"]), len(results))
    return list(zip(results, spans, strict=True))


def _add(highlighter: Highlighter, results: Sequence[Result]) -> None:
    for each in results:
        highlighter.add(each.found.configuration, each.found.text)


def _spans(highlighter: Highlighter, matched: set[int], count: int) -> list[list[Span]]:
    highlighter.mark(matched)
    return [highlighter.spans(position) for position in range(count)]

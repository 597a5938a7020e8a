"""Finds what to highlight in the passages of an answer: in a thread, while no transaction is open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scoped_query import ROLE, ScopedQuery
from partywall.core.shared_threads import SharedThreads
from partywall.core.tenancy import ProjectScope
from partywall.features.search.highlights import Highlighter
from partywall.features.search.results import Result, hit
from partywall.features.search.schemas import SearchHit
from partywall.features.search.terms import TERMS, WordList

_MATCHING: Final = """
WITH stem AS MATERIALIZED ({terms})
SELECT wall.open_scope(:principal, :project_id) AS {role}, ARRAY(
    SELECT number FROM stem WHERE term IN (SELECT term FROM stem WHERE number <= CAST(:asked AS integer))
) AS numbers
"""
_MATCHED: Final = ScopedQuery.text(_MATCHING.format(terms=TERMS, role=ROLE))


async def marked(
    reader: ScopedReader,
    threads: SharedThreads,
    scope: ProjectScope,
    asked: WordList,
    results: Sequence[Result],
    *,
    explain: bool,
) -> list[SearchHit]:
    """The hits in their order, with the places of the words that have a stem in common with those `asked`.

    Raises as `SharedThreads.run` does.
    """
    if not results:
        return []
    highlighter, tenant = Highlighter.of(asked), reader.principal.tenant
    await threads.run(lambda: _add(highlighter, results), tenant)
    values = {**highlighter.words.parameters, "asked": len(asked.numbers)}
    _, row = await reader.row(_MATCHED, scope.project_id, values)
    matched = set(row["numbers"])
    return await threads.run(lambda: _hits(highlighter, matched, results, explain=explain), tenant)


def _add(highlighter: Highlighter, results: Sequence[Result]) -> None:
    for each in results:
        highlighter.add(each.found.configuration, each.found.text)


def _hits(highlighter: Highlighter, matched: set[int], results: Sequence[Result], *, explain: bool) -> list[SearchHit]:
    highlighter.mark(matched)
    return [hit(each, highlighter.spans(position), explain=explain) for position, each in enumerate(results)]

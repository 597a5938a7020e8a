"""What of a query is looked up as words. Its meaning is taken from all of it."""

from __future__ import annotations

from partywall.features.search.constants import LONGEST_TERM, QUERY_TOKENS


def words_of(query: str) -> str:
    """Each token once, in the order given: no more than QUERY_TOKENS, none longer than a term can be."""
    tokens = dict.fromkeys(token[:LONGEST_TERM] for token in query.split())
    return " ".join(list(tokens)[:QUERY_TOKENS])

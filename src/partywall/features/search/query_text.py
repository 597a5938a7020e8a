"""Limits the words of a query that are looked up. The whole query is embedded."""

from __future__ import annotations

from partywall.features.search.constants import LONGEST_TERM, QUERY_TOKENS


def words_of(query: str) -> str:
    """The first QUERY_TOKENS different tokens, in order, each cut to the length of the longest term."""
    tokens = dict.fromkeys(token[:LONGEST_TERM] for token in query.split())
    return " ".join(list(tokens)[:QUERY_TOKENS])

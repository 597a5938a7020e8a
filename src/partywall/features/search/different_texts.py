"""Leaves out the copies among all candidates, in PostgreSQL: for a search whose best ones are copies of few texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import ColumnElement, Integer, Select, Subquery, Uuid, bindparam, func, select

from partywall.features.documents.filters.matches import matches
from partywall.features.search.kept_passages import Kept
from partywall.features.search.models import SearchChunk

_PROJECT: Final = bindparam("project_id", type_=Uuid)
# All is read once and joined by hash: to look up each candidate takes ten times as long.
READ_ALL: Final = select(
    func.set_config("enable_nestloop", "off", True), func.set_config("plan_cache_mode", "force_custom_plan", True)
)


def different(
    found: Subquery, order: Callable[[Subquery], ColumnElement[float]], kept: Kept | None
) -> Select[*tuple[object, ...]]:
    """Of the passages with one wording the first in this order; at most `of_document` passages of a text.

    `found` is the name of the subquery, which has all candidates. What a search reads of their passages is in the
    primary key.
    """
    wanted = list[ColumnElement[bool]]()
    if kept is not None and kept.numbers is None:
        wanted.append(matches(kept.tree, _PROJECT, SearchChunk.document_id))
    wording = (SearchChunk.text_hash, SearchChunk.passage_hash)
    copy = func.row_number().over(partition_by=wording, order_by=(order(found), found.c.chunk)).label("copy")
    copies = (
        select(found, SearchChunk.document_id, SearchChunk.text_hash, copy)
        .join_from(found, SearchChunk, SearchChunk.number == found.c.chunk)
        .where(SearchChunk.project_id == _PROJECT, *wanted)
        .subquery("copies")
    )
    place = func.row_number().over(partition_by=copies.c.text_hash, order_by=(order(copies), copies.c.chunk))
    placed = select(copies, place.label("place")).where(copies.c.copy == 1).subquery("placed")
    scores = [placed.c[each.name] for each in found.c if each.name != "chunk"]
    return (
        select(placed.c.chunk, placed.c.document_id, *scores)
        .where(placed.c.place <= bindparam("of_document", type_=Integer))
        .order_by(order(placed), placed.c.chunk)
        .limit(bindparam("candidates", type_=Integer))
    )

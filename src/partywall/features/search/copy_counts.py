"""Counts the documents that have the texts of a search's hits, in one statement."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Integer, Select, Uuid, bindparam, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by

from partywall.features.documents.filters.matches import matches
from partywall.features.search.constants import MOST_COUNTED, MOST_COUNTED_TOGETHER, MOST_DUPLICATES
from partywall.features.search.kept_passages import Kept
from partywall.features.search.models import SearchChunk

_PROJECT: Final = bindparam("project_id", type_=Uuid)
_TEXTS: Final = bindparam("texts", type_=ARRAY(BigInteger))
_MOST: Final = bindparam("most", type_=Integer)


def most_counted(limit: int) -> int:
    """The documents that are looked at for one text: the hit's own, and so many others that all hits have a bound."""
    return min(MOST_COUNTED, MOST_COUNTED_TOGETHER // limit) + 1


def owners(kept: Kept | None) -> Select[int, int, list[UUID]]:
    """For each of the hashes `texts` the number of documents, and the oldest ones: what is kept of the first `most`."""
    given = func.unnest(_TEXTS).table_valued("text_hash", name="given").render_derived()
    begins = (
        select(SearchChunk.document_id)
        .where(
            SearchChunk.project_id == _PROJECT,
            SearchChunk.text_hash == given.c.text_hash,
            SearchChunk.begins,
            SearchChunk.staged_for.is_(None),
        )
        .order_by(SearchChunk.document_id)
        .limit(_MOST)
        .lateral("begins")
    )
    of_text = begins.c.document_id
    wanted = list[ColumnElement[bool]]() if kept is None else [matches(kept.tree, _PROJECT, of_text)]
    ids = func.array_agg(aggregate_order_by(of_text, of_text), type_=ARRAY(Uuid))
    return (
        select(given.c.text_hash, func.count(), ids[1 : MOST_DUPLICATES + 1])
        .select_from(given.join(begins, onclause=true()))
        .where(*wanted)
        .group_by(given.c.text_hash)
    )

"""Leaves out the copies among many candidates, in PostgreSQL: for a search whose best ones are copies of few texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import ColumnElement, Integer, Select, Subquery, Text, bindparam, column, func, select, text, true

from partywall.features.search.copies import CONTENT

# One lookup for each candidate, which is called `found`: another plan would read all documents of the project.
_CONTENT: Final = """
SELECT {content} AS content FROM document WHERE project_id = :project_id AND id = found.document_id OFFSET 0
"""
_FIRST: Final = "SELECT first FROM chunk WHERE project_id = :project_id AND number = found.chunk OFFSET 0"


def different(found: Subquery, order: Callable[[Subquery], ColumnElement[float]]) -> Select[*tuple[object, ...]]:
    """The first `different` of the candidates in this order; of those with one wording, the first.

    `found` is the name of the subquery.
    """
    content = text(_CONTENT.format(content=CONTENT)).columns(column("content", Text)).lateral("its_document")
    first = text(_FIRST).columns(column("first", Integer)).lateral("its_chunk")
    wording = (content.c.content, first.c.first)
    copy = func.row_number().over(partition_by=wording, order_by=(order(found), found.c.chunk)).label("copy")
    its = select(found, copy).join_from(found, content, true()).join(first, true())
    numbered = its.subquery("numbered")
    return (
        select(*(numbered.c[each.name] for each in found.c))
        .where(numbered.c.copy == 1)
        .order_by(order(numbered), numbered.c.chunk)
        .limit(bindparam("different", type_=Integer))
    )

"""Folds documents with the same text into one result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from partywall.features.search.fusion import Ranked


class Wording(NamedTuple):
    """What two passages with the same text have in common: that of their documents, their own, and the place."""

    text_hash: int
    passage_hash: int


@dataclass(frozen=True, slots=True)
class Group:
    """The best of the passages with one text, and the other documents that have it, best first."""

    best: Ranked
    duplicates: list[UUID] = field(default_factory=list)


def fold(ranked: Iterable[Ranked], wordings: Mapping[int, Wording], *, whole: bool) -> list[Group]:
    """In the order of the first of each. The keys of `wordings` are chunks; one without a wording is left out.

    With `whole`, documents are compared, else passages: then each passage of a document is a result.
    """
    groups: dict[Wording | int, Group] = {}
    for hit in ranked:
        if (wording := wordings.get(hit.chunk)) is not None:
            group = groups.setdefault(wording.text_hash if whole else wording, Group(hit))
            if group.best is not hit:
                group.duplicates.append(hit.document_id)
    return list(groups.values())

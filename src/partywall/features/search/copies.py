"""Folds documents with the same text into one result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
    """The passages that may be shown of one text, and the other documents that have it, best first."""

    passages: Sequence[Ranked]
    duplicates: list[UUID] = field(default_factory=list)

    @property
    def best(self) -> Ranked:
        return self.passages[0]


def fold(found: Iterable[Sequence[Ranked]], wordings: Mapping[int, Wording], *, whole: bool) -> list[Group]:
    """In the order given. The keys of `wordings` are the first chunks; one without a wording is left out.

    With `whole`, documents are compared, else passages: then each passage of a document is a result.
    """
    groups: dict[Wording | int, Group] = {}
    for passages in found:
        if (wording := wordings.get(passages[0].chunk)) is not None:
            group = groups.setdefault(wording.text_hash if whole else wording, Group(passages))
            if group.passages is not passages:
                group.duplicates.append(passages[0].document_id)
    return list(groups.values())

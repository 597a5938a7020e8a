"""Folds documents with the same text into one result, and tells how many documents have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from partywall.features.search.fusion import Ranked


class Wording(NamedTuple):
    """What two passages with the same text have in common: that of their documents, their own, and the place."""

    text_hash: int
    passage_hash: int


class Owners(NamedTuple):
    """How many `documents` have a text, and the ids of the oldest ones."""

    documents: int
    ids: Sequence[UUID]


NO_OWNERS: Final = Owners(0, ())


@dataclass(frozen=True, slots=True)
class Group:
    """The passages of one document that may be shown, and the hash of the document's text."""

    text_hash: int
    passages: Sequence[Ranked]

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
            groups.setdefault(wording.text_hash if whole else wording, Group(wording.text_hash, passages))
    return list(groups.values())

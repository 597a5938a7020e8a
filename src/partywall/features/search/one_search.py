"""Finds the passages of one search: both halves, fused, and what the same texts have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from partywall.core.similarity import SimilarityScale
from partywall.features.search import fusion
from partywall.features.search.constants import (
    DIFFERENT,
    DIFFERENT_CHUNKS,
    FOLDED_AT_ONCE,
    MATCHING,
    MORE,
    NARROW,
    WIDE,
    Breadth,
)
from partywall.features.search.copies import Group, fold
from partywall.features.search.exceptions import SearchTimeoutError
from partywall.features.search.fusion import Candidate, Ranked
from partywall.features.search.half import Half
from partywall.features.search.kept_passages import Kept
from partywall.features.search.repository import Corpus, SearchRepository
from partywall.features.search.schemas import SearchGroup, SearchMode, SearchQuery
from partywall.features.search.terms import QueryWords
from partywall.features.search.vector_index import VectorIndex, Wanted


@dataclass(frozen=True, slots=True)
class Search:
    corpus: Corpus
    query: SearchQuery
    words: QueryWords
    mode: SearchMode
    vector: str | None
    until: float
    vectors: VectorIndex
    proposed: list[int] | None
    scale: SimilarityScale | None
    most: int

    def refuse_late(self) -> None:
        """Raises SearchTimeoutError after the deadline: the statement timeout limits each statement alone."""
        if asyncio.get_running_loop().time() > self.until:
            raise SearchTimeoutError

    async def run(self, repository: SearchRepository, kept: Kept | None) -> list[Group]:
        """The best chunks; looks at more if too many of the first ones have the same text."""
        text, vector = halves = self._halves(repository, kept)
        for half in halves:
            await half.widen()
            if self._by_document and len({each.document_id for each in half.found}) < self.query.limit:
                await half.widen()
        groups = await self._folded(repository, self._ranked(text, vector))
        while len(groups) < self.query.limit and any(half.is_cut_off for half in halves):
            for half in halves:
                await half.widen()
            groups = await self._folded(repository, self._ranked(text, vector))
        return groups[: self.most]

    async def kept(self, repository: SearchRepository) -> Kept | None:
        """What the filter keeps, without passages of deleted documents; None for all."""
        tree = self.query.wanted
        if tree is None:
            return Kept(None) if self.corpus.purging else None
        return Kept(tree, await repository.numbers(tree))

    async def _folded(self, repository: SearchRepository, ranked: Sequence[Ranked]) -> list[Group]:
        """Compares the texts of the best ones, and of all if too many of these are the same."""
        if not ranked:
            return []
        whole, some = self._by_document, ranked[: max(FOLDED_AT_ONCE, 2 * self.most)]
        groups = fold(some, await repository.wordings([each.chunk for each in some]), whole=whole)
        if len(groups) >= self.most or len(some) == len(ranked):
            return groups
        self.refuse_late()
        return fold(ranked, await repository.wordings([each.chunk for each in ranked]), whole=whole)

    @property
    def _by_document(self) -> bool:
        return self.query.group is SearchGroup.DOCUMENT

    def _halves(self, repository: SearchRepository, kept: Kept | None) -> tuple[Half, Half]:
        """Text and vectors; one that the mode leaves out finds nothing."""
        first = MATCHING if kept is not None and kept.is_many else NARROW
        breadths = (first, WIDE, DIFFERENT) if self._by_document else (first, MORE, DIFFERENT_CHUNKS)
        by_text, by_vector = partial(self._by_text, repository, kept), partial(self._by_vector, repository, kept)
        return (
            Half(by_text, () if self.mode is SearchMode.VECTOR else breadths),
            Half(by_vector, () if self.mode is SearchMode.TEXT else breadths),
        )

    def _ranked(self, text: Half, vector: Half) -> list[Ranked]:
        ranked = self._fused(text.found, vector.found, (text.breadths or vector.breadths)[0].candidates)
        return fusion.best_per_document(ranked) if self._by_document else ranked

    def _fused(self, text: Sequence[Candidate], vector: Sequence[Candidate], depth: int) -> list[Ranked]:
        match self.mode:
            case SearchMode.TEXT:
                return fusion.by_text(text)
            case SearchMode.VECTOR:
                return fusion.by_vector(vector)
            case SearchMode.HYBRID:
                return fusion.fuse(text, vector, depth=depth, scale=self.scale)

    async def _by_text(self, repository: SearchRepository, kept: Kept | None, breadth: Breadth) -> list[Candidate]:
        self.refuse_late()
        return await repository.by_text(self.corpus, self.words, breadth, kept)

    async def _by_vector(self, repository: SearchRepository, kept: Kept | None, breadth: Breadth) -> list[Candidate]:
        index, vector = self.corpus.index, self.vector
        if index is None or vector is None:
            return []
        staged = self.corpus.staged

        async def compare(*, approximate: bool = False, only: Sequence[int] | None = None) -> list[Candidate]:
            self.refuse_late()
            return await repository.by_vector(
                index, vector, breadth, kept, approximate=approximate, only=only, staged=staged
            )

        most, wide = breadth.looked_at if breadth.folds else breadth.candidates, breadth.folds or breadth is WIDE
        wanted = Wanted(index, most, self.corpus.chunks, kept, staged, wide=wide)
        return await self.vectors.nearest(repository, compare, wanted, self.proposed)

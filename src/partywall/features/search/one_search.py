"""Finds the passages of one search: both halves, fused, and what the same texts have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from partywall.core.similarity import SimilarityScale
from partywall.features.search import fusion
from partywall.features.search.constants import FOLDED_AT_ONCE, MATCHING, MORE, NARROW, WIDE, Breadth
from partywall.features.search.copies import Group, fold
from partywall.features.search.exceptions import SearchTimeoutError
from partywall.features.search.fusion import Candidate, Ranked
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
        found = await self._ranked(repository, kept)
        groups = await self._folded(repository, found.ranked)
        if len(groups) < self.query.limit and found.cut_off:
            found = await self._ranked(repository, kept, wide=True)
            groups = await self._folded(repository, found.ranked)
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
        whole, some = self.query.group is SearchGroup.DOCUMENT, ranked[: max(FOLDED_AT_ONCE, 2 * self.most)]
        groups = fold(some, await repository.wordings([each.chunk for each in some]), whole=whole)
        if len(groups) >= self.most or len(some) == len(ranked):
            return groups
        self.refuse_late()
        return fold(ranked, await repository.wordings([each.chunk for each in ranked]), whole=whole)

    async def _ranked(self, repository: SearchRepository, kept: Kept | None, *, wide: bool = False) -> _Ranking:
        by_text, by_vector = partial(self._by_text, repository, kept), partial(self._by_vector, repository, kept)
        first = MATCHING if kept is not None and kept.is_many else NARROW
        text = await self._enough(by_text, first, wide=wide) if self.mode is not SearchMode.VECTOR else []
        vector = await self._enough(by_vector, first, wide=wide) if self.mode is not SearchMode.TEXT else []
        ranked = self._fused(text, vector, first.candidates)
        if self.query.group is SearchGroup.DOCUMENT:
            ranked = fusion.best_per_document(ranked)
        return _Ranking(ranked, cut_off=first.candidates in {len(text), len(vector)})

    def _fused(self, text: Sequence[Candidate], vector: Sequence[Candidate], depth: int) -> list[Ranked]:
        match self.mode:
            case SearchMode.TEXT:
                return fusion.by_text(text)
            case SearchMode.VECTOR:
                return fusion.by_vector(vector)
            case SearchMode.HYBRID:
                return fusion.fuse(text, vector, depth=depth, scale=self.scale)

    async def _enough(
        self, half: Callable[[Breadth], Awaitable[list[Candidate]]], breadth: Breadth, *, wide: bool
    ) -> list[Candidate]:
        """Adds more chunks if the first ones belong to fewer documents than asked for; the first ones stay."""
        self.refuse_late()
        found = await half(breadth)
        grouped = self.query.group is SearchGroup.DOCUMENT
        wide = wide or (grouped and len({each.document_id for each in found}) < self.query.limit)
        if len(found) < breadth.candidates or not wide:
            return found
        self.refuse_late()
        first = {each.chunk for each in found}
        return found + [each for each in await half(WIDE if grouped else MORE) if each.chunk not in first]

    async def _by_text(self, repository: SearchRepository, kept: Kept | None, breadth: Breadth) -> list[Candidate]:
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

        wanted = Wanted(index, breadth.candidates, self.corpus.chunks, kept, staged, wide=breadth is WIDE)
        return await self.vectors.nearest(repository, compare, wanted, self.proposed)


@dataclass(frozen=True, slots=True)
class _Ranking:
    ranked: list[Ranked]
    cut_off: bool

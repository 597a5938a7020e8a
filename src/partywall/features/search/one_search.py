"""Finds the passages of one search: both halves, fused, and what the same texts have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from partywall.core.similarity import SimilarityScale
from partywall.features.search import fusion
from partywall.features.search.constants import (
    DIFFERENT,
    DIFFERENT_CHUNKS,
    MATCHING,
    MORE,
    NARROW,
    WIDE,
    Breadth,
)
from partywall.features.search.copies import Group, Wording, fold
from partywall.features.search.exceptions import SearchTimeoutError
from partywall.features.search.fusion import Candidate, Ranked
from partywall.features.search.half import Half
from partywall.features.search.kept_passages import Kept
from partywall.features.search.phrases import Phrases
from partywall.features.search.repository import Corpus, SearchRepository
from partywall.features.search.schemas import SearchGroup, SearchMode, SearchQuery
from partywall.features.search.term_plan import AskedTerm, information_of_tokens
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

    async def asked(self, repository: SearchRepository) -> list[AskedTerm]:
        """The terms of the query; a search by meaning alone has none."""
        return [] if self.mode is SearchMode.VECTOR else await repository.asked(self.corpus, self.words)

    async def run(self, repository: SearchRepository, kept: Kept | None, asked: Sequence[AskedTerm]) -> list[Group]:
        """The best chunks, `most` or more; a half looks at more if too many of its first ones have the same text."""
        text, vector = halves = self._halves(repository, kept, asked)
        wordings = dict[int, Wording]()
        while poor := [half for half in halves if half.is_cut_off and self._has_few(half, wordings)]:
            for half in poor:
                await half.widen()
            new = {each.chunk for half in poor for each in half.found}.difference(wordings)
            wordings |= await repository.wordings(sorted(new)) if new else {}
        return fold(self._ranked(text, vector), wordings, whole=self._by_document)

    def _has_few(self, half: Half, wordings: Mapping[int, Wording]) -> bool:
        """Whether its candidates are fewer results than wanted."""
        found = [wordings[each.chunk] for each in half.found if each.chunk in wordings]
        return len({each.text_hash for each in found} if self._by_document else {*found}) < self.query.limit

    async def kept(self, repository: SearchRepository) -> Kept | None:
        """What the filter keeps, without passages of deleted documents; None for all."""
        tree = self.query.wanted
        if tree is None:
            return Kept(None) if self.corpus.purging else None
        return Kept(tree, await repository.numbers(tree))

    def phrases(self, asked: Sequence[AskedTerm]) -> Phrases:
        return Phrases.of(self.query.q, information_of_tokens(self.words.by_token, asked, float(self.corpus.chunks)))

    @property
    def _by_document(self) -> bool:
        return self.query.group is SearchGroup.DOCUMENT

    def _halves(self, repository: SearchRepository, kept: Kept | None, asked: Sequence[AskedTerm]) -> tuple[Half, Half]:
        """Text and vectors; one that the mode leaves out finds nothing."""
        first = MATCHING if kept is not None and kept.is_many else NARROW
        breadths = (first, WIDE, DIFFERENT) if self._by_document else (first, MORE, DIFFERENT_CHUNKS)
        by_text = partial(self._by_text, repository, kept, asked)
        by_vector = partial(self._by_vector, repository, kept)
        return (
            Half(by_text, () if self.mode is SearchMode.VECTOR else breadths),
            Half(by_vector, () if self.mode is SearchMode.TEXT else breadths),
        )

    def _ranked(self, text: Half, vector: Half) -> list[list[Ranked]]:
        """The passages of each result."""
        if self.mode is SearchMode.VECTOR:
            ranked = fusion.by_vector(vector.found)
        else:
            depth = text.breadths[0].candidates
            ranked = fusion.fuse(text.found, vector.found, depth=depth, scale=self.scale)
        return fusion.by_document(ranked) if self._by_document else [[each] for each in ranked]

    async def _by_text(
        self, repository: SearchRepository, kept: Kept | None, asked: Sequence[AskedTerm], breadth: Breadth
    ) -> list[Candidate]:
        self.refuse_late()
        return await repository.by_text(self.corpus, asked, breadth, kept)

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

        if breadth.folds:  # copies of the nearest text may be all that an index finds
            return await compare()
        wanted = Wanted(index, breadth.candidates, self.corpus.chunks, kept, staged, wide=breadth is WIDE)
        return await self.vectors.nearest(repository, compare, wanted, self.proposed)

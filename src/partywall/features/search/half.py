"""One half of a search, text or vectors: finds candidates, and more of them in further rounds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from partywall.features.search.constants import Breadth
from partywall.features.search.fusion import Candidate


@dataclass(slots=True)
class Half:
    """`breadths` are those of its rounds."""

    look: Callable[[Breadth], Awaitable[list[Candidate]]]
    breadths: Sequence[Breadth]
    found: list[Candidate] = field(default_factory=list)
    _rounds: int = 0
    _is_full: bool = True

    @property
    def is_cut_off(self) -> bool:
        """There may be more, and a round is left to look for them."""
        return self._is_full and self._rounds < len(self.breadths)

    async def widen(self) -> None:
        """Adds the candidates of the next round; those found before stay first."""
        if not self.is_cut_off:
            return
        breadth = self.breadths[self._rounds]
        known = {each.chunk for each in self.found}
        more = await self.look(breadth)
        self.found += [each for each in more if each.chunk not in known]
        self._is_full = len(more) >= breadth.candidates
        self._rounds += 1

from __future__ import annotations

from collections.abc import Sequence

from partywall.features.search.fusion import Ranked


def scores(ranked: Sequence[Ranked]) -> list[float]:
    return [0.5 for _ in ranked]

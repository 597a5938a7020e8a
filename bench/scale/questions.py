"""Queries of three to eight words, and filters that keep a tenth and a hundredth of a project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

import numpy as np

from bench.scale.data import Data
from bench.scale.fill import CUSTOMERS, KINDS
from bench.scale.texts import TITLE_WORDS, texts_of

type Json = Mapping[str, object]

FEWEST, MOST = 3, 8
# Ranks of frequent words; some are stop words, which a search omits.
_FREQUENT: Final = (10, 200)

FILTERS: Final[Mapping[str, list[Json | None]]] = {
    "no filter": [None],
    "10 %": [{"field": "metadata.kind", "op": "eq", "value": f"kind {kind}"} for kind in range(KINDS)],
    "1 %": [{"field": "metadata.customer", "op": "eq", "value": customer} for customer in range(CUSTOMERS)],
}


def queries(data: Data, project: UUID, size: int, count: int) -> list[str]:
    """Words of a text of the project, and a frequent word; the same for each call."""
    texts = next(texts_of(data.language, data.places[project], size))
    chance = np.random.default_rng(size)
    found = []
    for number in range(count):
        document = int(chance.integers(len(texts)))
        words = texts.words[texts.starts[document] + TITLE_WORDS : texts.starts[document + 1]]
        some = chance.choice(words, FEWEST + number % (MOST - FEWEST + 1) - 1, replace=False)
        asked = [*some.tolist(), int(chance.integers(*_FREQUENT))]
        found.append(" ".join(data.language.words[word] for word in asked))
    return found

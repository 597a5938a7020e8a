# ruff: noqa: RUF001 - the texts here test scripts
"""How much is written in one transaction."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from partywall.core.ids import new_id
from partywall.features.search.chunk_repository import NewChunk
from partywall.features.search.chunker import chunk_text
from partywall.features.search.copies import Wording
from partywall.features.search.terms import counted_words
from partywall.features.search.write_batches import batches, work

PASSAGES = 20
MOST_WORDS = 12_000  # twice what as many passages in words have
CHANCE = random.Random(1)


def passages(word: Callable[[], str]) -> list[NewChunk]:
    """Of 50,000 characters of such words, eight on a line."""
    words = [word() for _ in range(50_000 // (len(word()) + 1))]
    text = "\n".join(" ".join(words[start : start + 8]) for start in range(0, len(words), 8))
    document = new_id()
    return [
        NewChunk(document, each.start, each.end, "english", "Title", each.text, Wording(1, ordinal))
        for ordinal, each in enumerate(chunk_text(text))
    ]


def number() -> str:
    return str(CHANCE.randrange(10_000))


def letters(most: int, least: int = 1, alphabet: str = "abcdefghijklmnopqrstuvwxyz") -> str:
    return "".join(CHANCE.choices(alphabet, k=CHANCE.randint(least, most)))


def written(chunks: Sequence[NewChunk]) -> int:
    occurrences = counted_words(chunks).parameters["occurrences"]
    assert isinstance(occurrences, list)
    return len(occurrences)


@pytest.mark.parametrize(
    "word",
    [
        lambda: f"E-{number()}",
        lambda: ".".join(number()[:2] for _ in range(5)),
        lambda: f"ab/{letters(1)}{number()}-{letters(2)}",
        lambda: "".join(letters(2, 2).title() for _ in range(5)),
        lambda: "\u2010".join(letters(2, 2, "０１２３４５６７８９") for _ in range(3)),
        lambda: letters(200, 200, "".join(map(chr, range(0x4E00, 0x5600)))),
    ],
    ids=["codes", "versions", "paths", "names", "full-width", "ideographs"],
)
def test_a_transaction_writes_a_bounded_number_of_words(word: Callable[[], str]) -> None:
    chunks = passages(word)
    assert written(chunks[:PASSAGES]) > MOST_WORDS
    parts = list(batches(chunks, PASSAGES))
    assert [each for part in parts for each in part] == chunks
    assert max(map(written, parts)) < MOST_WORDS


def test_passages_in_words_count_as_one() -> None:
    chunks = passages(lambda: letters(9))
    assert work(chunks) <= 1.1 * len(chunks)

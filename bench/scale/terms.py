"""The terms of the words, and the postings of documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import asyncpg
import numpy as np

from bench.scale.language import Numbers
from bench.scale.rows import Bytes
from bench.scale.texts import Texts

INDEXED_TOGETHER: Final = 100
"""Documents whose postings a worker writes in one statement, in the order of their terms."""

_TERMS: Final = """
SELECT number, lexeme FROM unnest($1::text[]) WITH ORDINALITY AS given (word, number)
CROSS JOIN LATERAL unnest(ts_lexize('english_stem', word)) AS lexeme
"""


@dataclass(frozen=True, slots=True)
class Terms:
    """`of_word` has the number of each word's term, -1 for a stop word. Terms are numbered in the order of their bytes.

    Row `n` of `texts` has the bytes of term `n`.
    """

    of_word: Numbers
    texts: Bytes
    lengths: Numbers


@dataclass(frozen=True, slots=True)
class Postings:
    """One for each term of a document, in the order in which they are written. `lengths` has that of each document."""

    documents: Numbers
    terms: Numbers
    frequencies: Numbers
    lengths: Numbers


async def terms_of(connection: asyncpg.Connection, words: list[str]) -> Terms:
    found = {number - 1: lexeme for number, lexeme in await connection.fetch(_TERMS, words)}
    known = sorted({lexeme.encode() for lexeme in found.values()})
    numbers = {term: number for number, term in enumerate(known)}
    of_word = np.full(len(words), -1, dtype=np.int64)
    for word, lexeme in found.items():
        of_word[word] = numbers[lexeme.encode()]
    longest = max(map(len, known))
    texts = np.frombuffer(b"".join(term.ljust(longest, b"\0") for term in known), dtype=np.uint8)
    lengths = np.array([len(term) for term in known], dtype=np.int64)
    return Terms(of_word, texts.reshape(len(known), longest), lengths)


def postings_of(texts: Texts, terms: Terms) -> Postings:
    documents = np.repeat(np.arange(len(texts)), np.diff(texts.starts))
    of_word = terms.of_word[texts.words]
    documents, of_word = documents[of_word >= 0], of_word[of_word >= 0]
    lengths = np.bincount(documents, minlength=len(texts))
    count = len(terms.lengths)
    keys = ((documents // INDEXED_TOGETHER) * count + of_word) * INDEXED_TOGETHER + documents % INDEXED_TOGETHER
    keys, frequencies = np.unique(keys, return_counts=True)
    batches, found = np.divmod(keys // INDEXED_TOGETHER, count)
    return Postings(batches * INDEXED_TOGETHER + keys % INDEXED_TOGETHER, found, frequencies, lengths)

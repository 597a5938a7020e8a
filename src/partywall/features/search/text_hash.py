"""Tells whether two texts are the same: the same words, however they are spaced. Hashes have 64 bits, with a sign."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final
from uuid import UUID

from partywall.features.search.characters import INVISIBLE

_AT_ONCE: Final = 64 * 1024
_BYTES: Final = 8


def text_hash(content: str, document_id: UUID) -> int:
    """Of a document. White space counts as one space, at both ends as none; invisible characters do not count.

    A document without any text has a hash of its own.
    """
    words = _words(content)
    if (first := next(words, None)) is None:
        return int.from_bytes(document_id.bytes[-_BYTES:], signed=True)
    return _hash(first, words)


def passage_hash(text: str, ordinal: int) -> int:
    """Of a passage of a document, which may have another one with the same words."""
    return _hash(f"{ordinal}:", _words(text))


def _hash(first: str, others: Iterator[str]) -> int:
    digest = hashlib.blake2b(first.encode(), digest_size=_BYTES)
    for each in others:
        digest.update(each.encode())
    return int.from_bytes(digest.digest(), signed=True)


def _words(content: str) -> Iterator[str]:
    """The words with one space between two, in pieces: a large text would become a list of all of its words."""
    has_begun = is_apart = False
    for start in range(0, len(content), _AT_ONCE):
        piece = content[start : start + _AT_ONCE]
        piece = piece if piece.isascii() else INVISIBLE.sub("", piece)
        words = " ".join(piece.split())
        is_apart = is_apart or piece[:1].isspace()
        if words:
            yield f" {words}" if has_begun and is_apart else words
            has_begun, is_apart = True, piece[-1].isspace()

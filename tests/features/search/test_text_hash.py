from __future__ import annotations

from itertools import product
from uuid import UUID

import pytest

from partywall.features.search import text_hash as module
from partywall.features.search.text_hash import passage_hash, text_hash

ONE, OTHER = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize("piece", [1, 2, 3, 5, 1000])
def test_how_words_are_spaced_makes_no_difference(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    """Wherever the text is cut into pieces."""
    monkeypatch.setattr(module, "_AT_ONCE", piece)
    texts = [
        "".join(some) for some in product(["", "\ufeff", " \n"], ["ab"], [" ", "\r\n\t "], ["c"], ["", "\ufeff \n"])
    ]
    assert len({text_hash(text, ONE) for text in texts}) == 1
    assert len({text_hash(text, ONE) for text in ("ab c", "a bc", "abc", "ab C", "ab c c")}) == 5


@pytest.mark.parametrize("invisible", ["\u200b", "\u2060", "\u00ad", "\u200d", "\ufeff"])
def test_invisible_characters_make_no_difference(invisible: str) -> None:
    assert text_hash(f"zero{invisible}width {invisible} word{invisible}", ONE) == text_hash("zerowidth word", ONE)


def test_texts_without_words_are_all_different() -> None:
    empty = {text_hash(text, document) for text in ("", " \r\n", "\ufeff") for document in (ONE, OTHER)}
    assert len(empty) == 2
    assert -(2**63) <= min(empty) <= max(empty) < 2**63


def test_a_passage_is_told_by_its_words_and_its_place() -> None:
    assert passage_hash("a  b\r\n", 3) == passage_hash("a b", 3)
    assert len({passage_hash("a b", 3), passage_hash("a b", 4), passage_hash("a c", 3), text_hash("a b", ONE)}) == 4

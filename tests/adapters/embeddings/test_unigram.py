from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from partywall.adapters.embeddings.mapped_tensors import mapped_tensors, write_tensors
from partywall.adapters.embeddings.unigram import UnigramTokenizer, normalised, piece_table

PIECES = ["<s>", "</s>", "▁", "▁re", "fund", "▁refund", "s", "退", "款", "退款", "▁a"]
SCORES = [0.0, 0.0, -3.0, -5.0, -6.0, -7.0, -3.5, -8.0, -8.0, -9.0, -4.0]
UNKNOWN = 99


@pytest.fixture
def tokenizer(tmp_path: Path) -> UnigramTokenizer:
    """From a file, as the installed ones are."""
    pieces = [piece.encode() for piece in PIECES]
    write_tensors(
        tmp_path / "pieces",
        {
            "pieces": np.frombuffer(b"".join(pieces), np.uint8),
            "piece_offsets": np.cumsum([0, *map(len, pieces)], dtype=np.uint32),
            "piece_scores": np.array(SCORES, np.float32),
            "piece_table": piece_table(pieces, control=[0, 1]),
        },
    )
    return UnigramTokenizer(mapped_tensors(tmp_path / "pieces"), unknown=UNKNOWN)


def names(tokenizer: UnigramTokenizer, text: str, most: int = 100) -> list[str]:
    return [PIECES[token] if token != UNKNOWN else "?" for token in tokenizer.encode(text, most)]


def test_the_most_probable_pieces_are_taken(tokenizer: UnigramTokenizer) -> None:
    assert names(tokenizer, "refunds  a") == ["▁refund", "s", "▁a"], "-7 is more probable than -5 and -6 together"
    assert names(tokenizer, "退款") == ["▁", "退款"]
    assert names(tokenizer, "aß款") == ["▁a", "?", "款"]
    assert names(tokenizer, "") == []


def test_text_cannot_name_a_control_token(tokenizer: UnigramTokenizer) -> None:
    assert "<s>" not in names(tokenizer, "<s>")


def test_a_long_word_is_read_from_its_beginning(tokenizer: UnigramTokenizer) -> None:
    assert names(tokenizer, "fund" * 200_000, most=4) == ["▁", "fund", "fund", "fund"]
    assert names(tokenizer, "a " * 1_000, most=3) == ["▁a"] * 3


def test_texts_are_normalised_like_in_training() -> None:
    assert normalised("\ufb01ne\u200b\x07\uff21e\u0301\t\uff5e") == "fine A\u00e9 \uff5e"

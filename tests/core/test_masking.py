from __future__ import annotations

import pytest

from partywall.core.masking import cleaned_words


@pytest.mark.parametrize(
    ("said", "logged"),
    [
        ("one\r\n\x1b[31mtwo\x00\u202ethree\u2028", "one [31mtwo three"),
        ("key 'sk-0123456789abc'.", "key '***"),
        ("a disk-space-quota and sk-short", "a disk-space-quota and sk-short"),
        ("Bearer abcdef by a@b.example", "*** by ***"),
        ("word " * 1_000, "word word word word word word word word"),
        ("", ""),
    ],
)
def test_words_of_others_are_one_clean_line(said: str, logged: str) -> None:
    assert cleaned_words(said, 40).rstrip("…").strip() == logged
    assert len(cleaned_words(said, 40)) <= 40

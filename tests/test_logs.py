from __future__ import annotations

import pytest

from partywall.logs import mask


@pytest.mark.parametrize(
    ("text", "kept", "gone"),
    [
        ("login of ada@example.com failed", "login of", "ada@example.com"),
        ("Authorization: Bearer abc.def", "Authorization", "abc.def"),
        ("token eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIx.c2ln end", "end", "eyJzdWIiOiIx"),
        ("connect postgresql://app:hunter2@db/partywall", "connect", "hunter2"),
        ("duplicate key\nDETAIL:  Key (title)=(Secret plan) already exists.\nHINT: none", "HINT", "Secret plan"),
        ("key pw_0123456789abcdefghij in use", "in use", "0123456789abcdefghij"),
    ],
)
def test_credentials_and_addresses_are_masked(text: str, kept: str, gone: str) -> None:
    masked = mask(text)
    assert kept in masked
    assert gone not in masked


def test_ordinary_text_is_left_alone() -> None:
    assert mask("document_indexed 42 chunks in 0.5 s") == "document_indexed 42 chunks in 0.5 s"

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest

from partywall.core.security.common_passwords import HASHES, WIDTH, is_common


@pytest.mark.parametrize(
    "password", ["password123", "qwertyuiop", "PassWord123", "\uff50assword\uff11\uff12\uff13", "1234567890"]
)
def test_a_common_password_is_found_in_any_case_and_composition(password: str) -> None:
    assert is_common(password)


@pytest.mark.parametrize("password", ["", "password123 ", "correct horse battery", "\udc80" * 10, "ä" * 1024])
def test_any_other_is_not(password: str) -> None:
    assert not is_common(password)


def test_the_first_and_the_last_hash_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up that misses an end, or reads past it, would fail for few passwords only."""
    content = HASHES.read_bytes()
    ends = {"first": content[:WIDTH], "last": content[-WIDTH:], "after": b"\xff" * WIDTH, "before": b"\0" * WIDTH}
    monkeypatch.setattr("partywall.core.security.common_passwords.hashed", lambda text: ends[text])
    assert {each: is_common(each) for each in ends} == {"first": True, "last": True, "after": False, "before": False}


def test_the_file_has_many_sorted_hashes_without_repeats() -> None:
    content = HASHES.read_bytes()
    hashes = [content[at : at + WIDTH] for at in range(0, len(content), WIDTH)]
    assert len(hashes) > 100_000
    assert all(one < next_one for one, next_one in pairwise(hashes))
    assert hashlib.sha256(b"password123").digest()[:WIDTH] in hashes

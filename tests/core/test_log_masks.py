from __future__ import annotations

import pytest
from redis.exceptions import ConnectionError as CacheConnectionError
from sqlalchemy.exc import OperationalError

from partywall.core.log_masks import error_fields, one_clean_line


@pytest.mark.parametrize(
    ("text", "logged"),
    [
        ("one\r\n\x1b[31mtwo\x00\u202ethree\u2028", "one [31mtwo three"),
        ("key 'sk-0123456789abc'.", "key '***"),
        ("a disk-space-quota and sk-short", "a disk-space-quota and sk-short"),
        ("Bearer abcdef by a@b.example", "*** by ***"),
        ("word " * 1_000, "word word word word word word word word"),
        ("", ""),
    ],
)
def test_external_text_is_logged_as_one_clean_line(text: str, logged: str) -> None:
    assert one_clean_line(text, 40).rstrip("…").strip() == logged
    assert len(one_clean_line(text, 40)) <= 40


@pytest.mark.parametrize(
    ("error", "logged"),
    [
        (CacheConnectionError("Error 111 connecting to cache:6379."),
         {"error": "ConnectionError", "reason": "Error 111 connecting to cache:6379."}),
        (OSError("redis://app:very-secret@cache is\naway"), {"error": "OSError", "reason": "*** is"}),
        (OperationalError("SELECT $1", {"name": "Ada"}, OSError("refused\x1b[31m\nby Ada")),
         {"error": "OSError", "reason": "refused [31m"}),
        (TimeoutError(), {"error": "TimeoutError", "reason": ""}),
    ],
)  # fmt: skip
def test_an_error_is_logged_without_quoted_values(error: Exception, logged: dict[str, str]) -> None:
    assert error_fields(error) == logged


def test_a_logged_error_is_shortened() -> None:
    assert len(error_fields(OSError("word " * 100_000))["reason"]) == 300

from __future__ import annotations

from uuid import UUID

import pytest

from partywall.features.mcp.constants import LONGEST_WAIT_SECONDS, MOST_CHARACTERS
from partywall.features.mcp.schemas import (
    FollowArguments,
    ListArguments,
    ReadArguments,
    SearchArguments,
    StartArguments,
)
from tests.validation_errors import refused

ID = UUID(int=1)


def test_null_and_an_empty_cursor_are_left_out() -> None:
    wanted = ListArguments.model_validate({"limit": None, "cursor": "", "status": None, "q_title": None})
    assert wanted == ListArguments()
    assert wanted.query().cursor is None


def test_what_has_to_be_there_is_not_null() -> None:
    assert refused(ReadArguments, {"document_id": None}) == {"document_id": "uuid_type"}
    assert refused(SearchArguments, {"q": None}) == {"q": "string_type"}


@pytest.mark.parametrize(
    ("length", "kind"),
    [(0, "greater_than_equal"), (MOST_CHARACTERS + 1, "less_than_equal"), ("5", "int_type"), (5.5, "int_type")],
)
def test_a_page_of_text_has_a_length(length: object, kind: str) -> None:
    assert refused(ReadArguments, {"document_id": str(ID), "length": length}) == {"length": kind}


def test_a_whole_number_may_be_written_with_a_fraction_of_nothing() -> None:
    wanted = ReadArguments.model_validate({"document_id": str(ID), "start": 5.0, "length": float(MOST_CHARACTERS)})
    assert (wanted.start, wanted.length) == (5, MOST_CHARACTERS)


def test_nobody_waits_longer_than_the_longest_wait() -> None:
    longer = {"run_id": str(ID), "wait_seconds": LONGEST_WAIT_SECONDS + 1}
    assert refused(FollowArguments, longer) == {"wait_seconds": "less_than_equal"}


@pytest.mark.parametrize("key", ["", "a b", "ä", "a\n", "a" * 256])
def test_what_is_no_idempotency_key_is_refused(key: str) -> None:
    assert list(refused(StartArguments, {"agent": "answer", "input": {}, "idempotency_key": key})) == [
        "idempotency_key"
    ]


def test_the_key_is_no_part_of_the_run() -> None:
    given = {"agent": "answer", "input": {"question": "When?"}, "continues": str(ID), "idempotency_key": "k"}
    wanted = StartArguments.model_validate(given).wanted()
    assert wanted.model_dump() == {"agent": "answer", "input": {"question": "When?"}, "continues": ID}


def test_an_argument_that_no_tool_knows_is_refused() -> None:
    assert refused(SearchArguments, {"q": "a", "query": "b"}) == {"query": "extra_forbidden"}

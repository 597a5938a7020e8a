from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from partywall.features.live.schemas import Received, SocketHello
from tests.validation_errors import refused


@pytest.mark.parametrize(
    "types",
    ["", "*", "document", "document.", ".created", "document.*,", ",document.*", "document.created, member.*",
     "Document.created", "document.created.now", "document.**", "document.created\n"],
)  # fmt: skip
def test_what_is_no_list_of_types_is_refused(types: str) -> None:
    assert refused(SocketHello, {"types": types}) == {"types": "string_pattern_mismatch"}


@pytest.mark.parametrize("types", ["document.*", "run.token,member.added", "run.*,document.created,document.deleted"])
def test_types_are_named_one_by_one_or_by_group(types: str) -> None:
    assert SocketHello.model_validate({"types": types}).types == types


@pytest.mark.parametrize(
    ("after", "kind"),
    [(-1, "greater_than_equal"), (10**18, "less_than"), ("5", "int_type"), (1.5, "int_type"), (True, "int_type")],
)
def test_where_to_resume_is_a_number_of_an_event(after: object, kind: str) -> None:
    assert refused(SocketHello, {"after": after}) == {"after": kind}


def test_a_socket_says_once_who_it_is() -> None:
    assert refused(SocketHello, {"token": "a", "ticket": "b"}) == {"": "value_error"}
    assert SocketHello.model_validate({"token": "a", "ticket": None, "after": 3.0}).after == 3


def test_a_ticket_has_a_length() -> None:
    assert refused(SocketHello, {"ticket": "a" * 201}) == {"ticket": "string_too_long"}


@pytest.mark.parametrize(("sent", "number"), [("3 ", "3"), ("\t3\t ", "3"), ("3", "3"), (" ", None), ("", None)])
def test_blanks_around_the_last_event_id_do_not_belong_to_it(sent: str, number: str | None) -> None:
    assert TypeAdapter(Received).validate_python(sent) == number

"""The checks find answers that reveal something and accept the others."""

from __future__ import annotations

import gzip
import random
from collections.abc import Mapping
from uuid import uuid4

import orjson
import pytest
from pydantic import JsonValue
from starlette.types import Receive, Scope, Send

from partywall.testing.isolation.attack_plan import Attempt, Shape
from partywall.testing.isolation.bodies import Fields
from partywall.testing.isolation.callers import Caller, Standing
from partywall.testing.isolation.checks import content_fault, error_fault, likeness
from partywall.testing.isolation.client import Answer, Call, Client
from partywall.testing.isolation.discovery import Recipe
from partywall.testing.isolation.surface import Operation, Place, Position
from partywall.testing.isolation.values import Kind, Value, forbidden_texts, scrambled

SECRET = "kanarieabcdefghijkl"
IN_PATH, IN_QUERY = Position(Place.PATH, "note_id"), Position(Place.QUERY, "q")


def operation(*, gated: bool = True, project: bool = True) -> Operation:
    path = "/projects/{project_id}/notes/{note_id}" if project else "/notes/{note_id}"
    return Operation("get_note", "GET", path, gated, {}, frozenset(), None, {}, (IN_PATH, IN_QUERY))


def attempt(
    standing: Standing, shape: Shape = Shape.HERE, position: Position = IN_PATH, on: Operation | None = None
) -> Attempt:
    caller = Caller("someone", standing, "token", uuid4())
    recipe = Recipe(on or operation(), Fields.REQUIRED, consuming=False)
    return Attempt(recipe, position, caller, shape, Value(Kind.ID, "a note", str(uuid4())), "plain")


def answer(status: int, body: JsonValue = None, headers: Mapping[str, str] | None = None) -> Answer:
    kind = "application/problem+json" if isinstance(body, dict) and "code" in body else "application/json"
    return Answer(status, (("content-type", kind), *(headers or {}).items()), orjson.dumps(body))


@pytest.mark.parametrize(
    ("made", "right", "wrong"),
    [
        (attempt(Standing.NOBODY), (401,), (200, 403, 500, 204)),
        (attempt(Standing.OUTSIDER), (404, 422), (200, 403, 401, 412)),
        (attempt(Standing.MEMBER, Shape.THERE), (404, 422), (200, 403, 412, 409)),
        (attempt(Standing.MEMBER, Shape.HERE), (404, 403), (200, 204, 304, 412)),
        (attempt(Standing.MEMBER, Shape.HERE, IN_QUERY), (200, 404, 422, 304), (401, 500, 429, 599)),
        (attempt(Standing.READER, Shape.THERE), (403, 404), (200, 204)),
        (attempt(Standing.READER, Shape.THERE, IN_QUERY), (403,), (404, 200)),
        (attempt(Standing.NOBODY, on=operation(gated=False)), (401, 422), (200,)),
        (attempt(Standing.NOBODY, position=IN_QUERY, on=operation(gated=False, project=False)), (200,), (500, 429)),
    ],
)
def test_only_errors_are_allowed(made: Attempt, right: tuple[int, ...], wrong: tuple[int, ...]) -> None:
    assert [each for each in right if error_fault(made, answer(each)) is not None] == []
    assert [each for each in wrong if error_fault(made, answer(each)) is None] == []


@pytest.mark.parametrize(
    "leaking",
    [
        answer(404, {"code": "x", "detail": f"not {SECRET.upper()}"}),
        answer(200, {"items": [{"title": SECRET}]}),
        answer(404, None, {"location": f"/notes/{SECRET}"}),
        answer(404, None, {"content-disposition": "filename*=UTF-8''%6Banarieabcdefghijkl"}),
    ],
)
def test_a_byte_of_foreign_content_is_seen(leaking: Answer) -> None:
    assert content_fault(leaking, {SECRET}, "") is not None
    assert content_fault(leaking, {SECRET}, f"it was sent: {SECRET}") is None
    assert content_fault(answer(404, {"code": "x", "detail": "nothing"}), {SECRET}, "") is None


def test_a_number_is_told_where_it_is_one() -> None:
    assert content_fault(answer(200, {"revision": 7300002}), {"7300002"}, "") is not None
    assert content_fault(answer(404, None, {"etag": '"7300002-1"'}), {"7300002"}, "") is not None
    assert content_fault(answer(404, {"code": "x", "request_id": "a7300002b"}), {"7300002"}, "") is None


async def test_a_compressed_answer_is_read() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-encoding", b"gzip"), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": gzip.compress(SECRET.encode())})

    found = await Client(app).send(Call(operation(), {"project_id": "p", "note_id": "n"}), None)
    assert content_fault(found, {SECRET}, "") is not None


def problem(status: int = 404, code: str = "note_not_found", detail: str = "No such note") -> dict[str, JsonValue]:
    return {"status": status, "code": code, "title": "T", "detail": detail, "type": f"urn:{code}", "request_id": "r"}


VOCABULARY = frozenset({"items", "title", "id"})
PAIRS = {
    "status": (answer(404, problem()), answer(403, problem())),
    "code": (answer(404, problem()), answer(404, problem(code="project_not_found"))),
    "detail": (answer(404, problem()), answer(404, problem(detail="Exists elsewhere"))),
    "header": (answer(404, problem()), answer(404, problem(), {"etag": '"1"'})),
    "member": (answer(200, {"items": []}), answer(200, {"items": [], "id": "x"})),
    "something instead of nothing": (answer(200, {"items": []}), answer(200, {"items": [{"title": "x"}]})),
}


@pytest.mark.parametrize("difference", PAIRS)
def test_what_differs_for_what_exists_is_seen(difference: str) -> None:
    exists, clone = PAIRS[difference]
    assert likeness(exists, ("a",), VOCABULARY) != likeness(clone, ("b",), VOCABULARY)


def test_what_was_sent_makes_no_difference() -> None:
    one, other = answer(404, problem(detail="No note 4711")), answer(404, problem(detail="No note 12"))
    assert likeness(one, ("4711",), VOCABULARY) == likeness(other, ("12",), VOCABULARY)
    assert likeness(one, ("1",), VOCABULARY) != likeness(other, ("2",), VOCABULARY)


@pytest.mark.parametrize(
    "value",
    [
        Value(Kind.ID, "", str(uuid4())),
        Value(Kind.NUMBER, "", "7300002"),
        Value(Kind.EMAIL, "", "lokaasabc@example.com"),
        Value(Kind.CURSOR, "", "AbC-_9xYz0aB"),
        Value(Kind.SECRET, "", "pw_aB3dE6gH9jKl_0123456789"),
    ],
)
def test_a_scrambled_value_has_the_same_form_and_differs(value: Value) -> None:
    clone = scrambled(value, random.Random(1))
    assert clone != value.text
    assert len(clone) == len(value.text)
    assert [each.isdigit() for each in clone][:1] == [each.isdigit() for each in value.text][
        :1
    ] or value.kind is Kind.ID
    assert [n for n, each in enumerate(clone) if each in "-@._"] == [
        n for n, each in enumerate(value.text) if each in "-@._"
    ]


def test_what_tells_where_it_comes_from() -> None:
    id_ = str(uuid4())
    plain = {"published", "12", "two or three words"}
    instant = "2026-11-21T08:00:00.123456+00:00"
    telling = {f"user:{id_}", f"word {SECRET}", "7300002", instant, "\\x" + "0a" * 32, "pw_ABCdef123456"}
    assert forbidden_texts(plain | telling) == {
        id_, SECRET, "7300002", instant[:26].lower(), "0a" * 32, "pw_abcdef123456",
    }  # fmt: skip

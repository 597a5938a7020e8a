"""Asks every question in HOME while FOREIGN grows: an answer that changes counts across the wall."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final
from uuid import UUID

from fastapi import FastAPI
from pydantic import JsonValue

from partywall.core import pings
from partywall.testing.engines import DatabaseUrls
from partywall.testing.isolation import client as asgi
from partywall.testing.isolation import overrides, seed, users
from partywall.testing.isolation.bodies import Fields
from partywall.testing.isolation.client import Answer, Call, Client
from partywall.testing.isolation.creation import create, creates
from partywall.testing.isolation.discovery import CannotExerciseError, Learner
from partywall.testing.isolation.surface import Operation, Place, Position, Schema, read_surface
from partywall.testing.isolation.world import HOME_WORD, Realm, World
from tests.isolation.faults import patched

type Words = Mapping[str, str]
type Choice = tuple[str, str]
type Answers = Mapping[str, Answer]

# How many more of each resource FOREIGN gets.
MORE: Final = 12
# How long a stream is read, so that all stored events arrive.
_LISTEN_SECONDS: Final = 1.0
_PING_SECONDS: Final = 60.0
# Other questions run while some wait for a stream.
_AT_ONCE: Final = 12
# Words in both projects' documents. FOREIGN later uses them often.
_COMMON: Final = "supplier delivers ten days"
# The request id is unique; it is in this header and in refusals.
_OWN: Final = "x-request-id"


@dataclass(frozen=True, slots=True)
class Question:
    call: Call
    choices: tuple[Choice, ...]

    def __str__(self) -> str:
        return " ".join([str(self.call.operation), *(f"{name}={value}" for name, value in self.choices)])


def is_asked(operation: Operation) -> bool:
    """A login at an identity provider has a new secret each time."""
    return operation.method == "GET" and str(operation) not in overrides.QUERIES


async def questions(app: FastAPI, world: World, realm: Realm, only: str | None = None) -> list[Question]:
    """Every GET of the OpenAPI document (or only the one with the id `only`), for a realm.

    Without parameters, in pages of one, with offset 0, and then with each value that a query parameter can take.
    """
    operations = read_surface(app.openapi())
    learner, words = Learner(Client(app), world, operations), await _words(world)
    found = []
    for operation in operations:
        if is_asked(operation) and only in (None, operation.id):
            bare = await learner.fill(operation, realm, await learner.ids(operation, realm), Fields.REQUIRED)
            bare = replace(bare, query=tuple((name, words.get(name, value)) for name, value in bare.query))
            found += [Question(_chosen(bare, choices), choices) for choices in _ways(operation, words)]
    return found


async def ask(app: FastAPI, asked: Sequence[Question], realm: Realm) -> Answers:
    """The answers that a realm's owner gets; raises CannotExerciseError for a refusal.

    Only a question with choices may get 404: a document that was not uploaded has no original.
    """
    client, turn = Client(app), asyncio.Semaphore(_AT_ONCE)

    async def answered(question: Question) -> Answer:
        async with turn:
            answer = await client.send(question.call, realm.owner.token)
        if not answer.succeeded and not (question.choices and answer.status == HTTPStatus.NOT_FOUND):
            raise CannotExerciseError(f"{question}: {answer.status} {answer.body!r}")
        return _without_request_id(answer)

    # On a busy machine a ping may take longer than the application allows, and /readyz would answer something else.
    with patched((asgi, "LISTEN_SECONDS", _LISTEN_SECONDS), (pings, "PING_TIMEOUT_SECONDS", _PING_SECONDS)):
        answers = await asyncio.gather(*map(answered, asked))
    return {str(question): answer for question, answer in zip(asked, answers, strict=True)}


def _without_request_id(answer: Answer) -> Answer:
    own = answer.header(_OWN)
    kept = tuple(header for header in answer.headers if header[0] != _OWN)
    return replace(answer, headers=kept, body=answer.body.replace(own.encode(), b"") if own else answer.body)


def moved(before: Answers, after: Answers) -> list[str]:
    """The questions whose answers changed in any byte."""
    assert before.keys() == after.keys()
    return [f"{name}: {was.body!r} became {after[name].body!r}" for name, was in before.items() if after[name] != was]


def listed(answer: Answer) -> JsonValue:
    """The items of a list or a search; None for other answers."""
    body = answer.json()
    return body.get("items") if isinstance(body, dict) else None


def total(answer: Answer) -> int | None:
    body = answer.json()
    found = body.get("total") if isinstance(body, dict) else None
    return found if isinstance(found, int) else None


async def grow(app: FastAPI, world: World, urls: DatabaseUrls) -> None:
    """Adds resources of every kind to FOREIGN: through each POST of the document, and directly where there is none."""
    await _loud_documents(world)
    for _ in range(MORE):
        await users.new_member(world.superuser, str(world.foreign.project))
        await users.log_in(world.http, world.foreign.owner.email, world.foreign.owner.password)
    await seed.index(world.resources, world.superuser)
    await _what_workers_leave(world)
    document = app.openapi()
    operations = read_surface(document)
    learner = Learner(Client(app), world, operations)
    # After the indexing, so that some documents are still waiting.
    await seed.webhook_slots(world.superuser, world.foreign.project, 2 * MORE)
    for operation in operations:
        if creates(document, operation):
            for _ in range(MORE):
                await create(Client(app), learner, operation, world.foreign)


async def _what_workers_leave(world: World) -> None:
    project = world.foreign.project
    first = "SELECT id FROM webhook WHERE project_id = $1 ORDER BY id LIMIT 1"
    webhook = UUID(str(await world.superuser.value(first, project)))
    await seed.indexing(world.superuser, project, MORE)
    await seed.vector_changes(world.superuser, project)
    await seed.trash(world.superuser, project, world.foreign.mark, MORE)
    await seed.archive_entries(world.superuser, project, world.foreign.mark)
    for _ in range(MORE):
        await seed.waiting_run(world.superuser, project, world.foreign.mark)
        await seed.deletion(world.superuser, project)
        await seed.delivery(world.superuser, project, webhook)


async def _loud_documents(world: World) -> None:
    """Many documents with HOME's words, one with an external id that HOME uses, and many versions of one."""
    foreign = world.foreign
    url, headers = f"/api/v1/projects/{foreign.project}/documents", users.bearer(foreign.owner.token)
    body = {"title": f"{HOME_WORD} {_COMMON}", "content": f"The {_COMMON}. " * 20, "status": "published"}
    (await world.http.post(f"{url}/batch", json={"documents": [body] * MORE}, headers=headers)).raise_for_status()
    alike = body | {"external_id": (await _words(world))["external_id"]}
    (await world.http.post(url, json=alike, headers=headers)).raise_for_status()
    for number in range(MORE):
        changed = {"content": f"{body['content']} {number}"}
        (await world.http.patch(f"{url}/{foreign.documents[0]}", json=changed, headers=headers)).raise_for_status()


async def _words(world: World) -> Words:
    """By parameter name, a value that finds something in HOME; other free-text parameters are used only if required."""
    named = "SELECT external_id FROM document WHERE project_id = $1 AND external_id IS NOT NULL ORDER BY id LIMIT 1"
    external_id = str(await world.superuser.value(named, world.home.project))
    return {"q": _COMMON, "q_title": HOME_WORD, "external_id": external_id, "after": "0", "types": "document.*"}


def _ways(operation: Operation, words: Words) -> Iterator[tuple[Choice, ...]]:
    names = operation.query.keys()
    counted = (("offset", "0"),) if "offset" in names else ()
    yield ()
    if counted:
        yield counted
    if "limit" in names:
        yield (("limit", "1"),)
    for name, schema in operation.query.items():
        yield from (((name, value), *counted) for value in _values(name, schema, words))


def _values(name: str, schema: Schema, words: Words) -> Iterator[str]:
    choices = schema.get("enum")
    if isinstance(choices, list):
        yield from map(str, choices)
    elif schema.get("type") == "boolean":
        yield from ("true", "false")
    elif name in words:
        yield words[name]


def _chosen(call: Call, choices: Sequence[Choice]) -> Call:
    for name, value in choices:
        call = call.with_value(Position(Place.QUERY, name), value)
    return call

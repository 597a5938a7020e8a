"""Creates resources through the POSTs of the OpenAPI document."""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue

from partywall.testing.isolation import overrides
from partywall.testing.isolation.bodies import Fields
from partywall.testing.isolation.client import Client
from partywall.testing.isolation.discovery import CannotExerciseError, Learner
from partywall.testing.isolation.surface import Operation, Place, Position, Schema
from partywall.testing.isolation.world import Realm

_IDEMPOTENCY_KEY: Final = Position(Place.HEADER, "Idempotency-Key")


def creates(document: Schema, operation: Operation) -> bool:
    """Whether it answers 201, and to the owner."""
    if operation.method != "POST" or str(operation) in overrides.SPEAKERS:
        return False
    step: JsonValue = dict(document)
    for name in ("paths", operation.path, "post", "responses"):
        assert isinstance(step, dict)
        step = step[name]
    assert isinstance(step, dict)
    return "201" in step


async def create(client: Client, learner: Learner, operation: Operation, realm: Realm) -> None:
    """Creates one as the realm's owner; raises CannotExerciseError."""
    ids, refused = await learner.ids(operation, realm), []
    for fields in Fields:
        call = await learner.fill(operation, realm, ids, fields)
        answer = await client.send(call.with_value(_IDEMPOTENCY_KEY, realm.mark()), realm.owner.token)
        if answer.succeeded:
            return
        refused.append(answer.body)
    raise CannotExerciseError(f"{operation} creates nothing in {realm.name}: {refused}")

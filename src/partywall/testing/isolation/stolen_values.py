"""Values that members of FOREIGN can read, for attempts from outside."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final

from partywall.testing.isolation.bodies import Fields
from partywall.testing.isolation.client import Client
from partywall.testing.isolation.discovery import CannotExerciseError, Learner
from partywall.testing.isolation.surface import Operation, Place, Position
from partywall.testing.isolation.values import Kind, Value
from partywall.testing.isolation.world import World

_MAC_BYTES: Final = 16
_LIMIT: Final = Position(Place.QUERY, "limit")


async def gather(client: Client, learner: Learner, world: World, operations: Sequence[Operation]) -> list[Value]:
    """The world's values, an id of every kind of resource, a cursor of every list and the entity tags."""
    found = list(world.values)
    known = {value.text for value in found}
    for operation in operations:
        try:
            ids = await learner.ids(operation, world.foreign)
        except CannotExerciseError:
            continue  # HOME has the same result, and the report names it
        for name, text in ids.items():
            if text not in known:
                known.add(text)
                kind = Kind.NUMBER if text.isdigit() else Kind.ID
                found.append(Value(kind, f"a {name} of {operation.prefix(name)}", text))
        if operation.reads:
            found += await _read(client, learner, world, operation, ids)
    return found


async def _read(
    client: Client, learner: Learner, world: World, operation: Operation, ids: dict[str, str]
) -> list[Value]:
    found = []
    call = await learner.fill(operation, world.foreign, ids, Fields.REQUIRED)
    if "cursor" in operation.query:
        answer = await client.send(call.with_value(_LIMIT, "1"), world.foreign.owner.token)
        page = answer.json()
        cursor = page.get("next_cursor") if isinstance(page, dict) else None
        if isinstance(cursor, str):
            found.append(Value(Kind.CURSOR, f"a cursor of {operation.id}", cursor))
            found += await _crossed(client, learner, world, operation, cursor)
    elif operation.in_project and (tag := (await client.send(call, world.foreign.owner.token)).header("etag")):
        found.append(Value(Kind.TAG, f"the entity tag of {operation.id}", tag))
    return found


async def _crossed(client: Client, learner: Learner, world: World, operation: Operation, foreign: str) -> list[Value]:
    """A cursor signed for HOME with a position in FOREIGN."""
    call = await learner.fill(operation, world.home, await learner.ids(operation, world.home), Fields.REQUIRED)
    page = (await client.send(call.with_value(_LIMIT, "1"), world.home.owner.token)).json()
    cursor = page.get("next_cursor") if isinstance(page, dict) else None
    if not isinstance(cursor, str):
        return []
    altered = _raw(cursor)[:_MAC_BYTES] + _raw(foreign)[_MAC_BYTES:]
    text = base64.urlsafe_b64encode(altered).rstrip(b"=").decode()
    return [Value(Kind.CURSOR, f"an altered cursor of {operation.id}", text)]


def _raw(cursor: str) -> bytes:
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))

"""Learns from the OpenAPI document how to call each operation successfully: ids, query and body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from pydantic import JsonValue

from partywall.testing.isolation import overrides
from partywall.testing.isolation.bodies import Fields, Filler, Sample
from partywall.testing.isolation.callers import Caller, Standing
from partywall.testing.isolation.client import Answer, Call, Client, Upload
from partywall.testing.isolation.surface import JSON, MULTIPART, Operation, is_file
from partywall.testing.isolation.users import join
from partywall.testing.isolation.world import Realm, World

_PROJECT: Final = "project_id"
_EXCERPT: Final = 300


class CannotExerciseError(Exception):
    """No well-formed request succeeds; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to call an operation. A `consuming` one cannot be repeated with the same ids.

    `permitted` are the callers of HOME that succeeded.
    """

    operation: Operation
    fields: Fields
    consuming: bool
    permitted: frozenset[str] = frozenset()


class Learner:
    """Knows the ids of both realms, and creates new resources for operations that consume them."""

    def __init__(self, client: Client, world: World, operations: Sequence[Operation]) -> None:
        self._client = client
        self._world = world
        self._by_place = {(each.method, each.path): each for each in operations}
        self._spent: dict[str, dict[str, JsonValue]] = {}
        self._created_in = {
            operation.parameters[1]: operation.prefix(operation.parameters[1])
            for operation in operations
            if operation.parameters[:1] == (_PROJECT,) and operation.parameters[1:]
        }
        self._removals = [each for each in operations if each.method == "DELETE" and each.path.endswith("}")]

    async def recipe(self, operation: Operation) -> Recipe:
        """Raises CannotExerciseError."""
        home = self._world.home
        refused: list[str] = []
        for fields in Fields:
            ids = await self.ids(operation, home, fresh=not operation.reads)
            answer = await self._try(operation, home, ids, fields)
            if answer.succeeded:
                consuming = not operation.reads and not (await self._try(operation, home, ids, fields)).succeeded
                return await self._permitted(Recipe(operation, fields, consuming))
            refused.append(f"with {fields}: {answer.status} {answer.body[:_EXCERPT].decode(errors='replace')}")
        raise CannotExerciseError(f"{operation} never succeeds: " + "; ".join(refused))

    async def call(
        self, recipe: Recipe, ids: Mapping[str, str], own: Mapping[str, str] | None = None, *, spend: bool = True
    ) -> Call:
        """A well-formed request of HOME for these ids, with unique texts.

        The resources in its body are looked up under the `own` ids if `ids` are foreign. Without `spend` it may contain
        used credentials.
        """
        operation, where = recipe.operation, ids if own is None else own
        call = await self.fill(operation, self._world.home, where, recipe.fields, spend=spend)
        return replace(call, path=ids)

    async def ids(self, operation: Operation, realm: Realm, *, fresh: bool = False) -> dict[str, str]:
        """A value for each path parameter; raises CannotExerciseError. `fresh`: creates the last one."""
        found: dict[str, str] = {}
        for parameter in operation.parameters:
            last = parameter == operation.parameters[-1]
            found[parameter] = await self._id(operation, realm, parameter, found, fresh=fresh and last)
        return found

    async def delete(self, operation: Operation, answer: Answer, ids: Mapping[str, str]) -> None:
        """Deletes what a POST created, if its collection, or the one that the action belongs to, has a DELETE."""
        for collection in (operation.path, operation.path.rpartition("/")[0]):
            removal = next((each for each in self._removals if each.path.rpartition("/")[0] == collection), None)
            if removal is None:
                continue
            for made in _made(answer.json()):
                call = Call(removal, path={**ids, removal.parameters[-1]: made})
                await self._client.send(call, self._world.home.owner.token)
            return

    async def _id(
        self, operation: Operation, realm: Realm, parameter: str, above: Mapping[str, str], *, fresh: bool
    ) -> str:
        if parameter == _PROJECT:
            return await self._new_project(realm) if fresh else str(realm.project)
        place = _filled(operation.prefix(parameter), above)
        particular = overrides.IDS_OF.get((str(operation), parameter))
        if particular is not None:
            place = f"{operation.method} {place}"
        if not fresh and place in realm.known:
            return realm.known[place]
        if parameter == "document_id" and not fresh and above.get(_PROJECT) == str(realm.project):
            made = realm.documents[0]
        elif particular is not None:
            made = await particular(self._world, realm, above)
        elif parameter in overrides.IDS:
            made = await overrides.IDS[parameter](self._world, realm, above)
        else:
            made = await self._made_or_listed(operation.prefix(parameter), realm, parameter, above)
        if not fresh:
            realm.known[place] = made
        return made

    async def _made_or_listed(self, prefix: str, realm: Realm, parameter: str, above: Mapping[str, str]) -> str:
        collection = prefix.rpartition("/")[0]
        for method in ("POST", "GET"):
            operation = self._by_place.get((method, collection))
            for fields in Fields if operation is not None else ():
                assert operation is not None
                answer = await self._try(operation, realm, above, fields)
                found = _identified(answer.json(), parameter) if answer.succeeded else None
                if found is not None:
                    return found
        raise CannotExerciseError(
            f"no value for {{{parameter}}}: neither POST nor GET {collection} answers with one; "
            "give that POST a body that it accepts"
        )

    async def _new_project(self, realm: Realm) -> str:
        """A new project with the realm's users in it."""
        founded = (await overrides.founder(self._world, realm)).project
        for role, account in realm.users.items():
            if role in ("admin", "editor", "viewer"):
                await join(self._world.superuser, founded, account, role)
        return str(founded)

    async def _try(self, operation: Operation, realm: Realm, ids: Mapping[str, str], fields: Fields) -> Answer:
        call = await self.fill(operation, realm, ids, fields)
        speaks = overrides.SPEAKERS.get(str(operation))
        speaker = realm.owner if speaks is None else speaks(realm)
        return await self._client.send(call, speaker.token)

    async def fill(
        self, operation: Operation, realm: Realm, ids: Mapping[str, str], fields: Fields, *, spend: bool = True
    ) -> Call:
        """A well-formed request in a realm."""
        filler = Filler(realm.mark, await self._named(operation, realm, ids))
        query = tuple((name, str(filler.value(operation.query[name], name))) for name in operation.required_query)
        call = Call(operation, path=ids, query=query)
        if (make := overrides.QUERIES.get(str(operation))) is not None:
            given = await make(self._world, realm)
            call = replace(call, query=tuple(given.query.items()), headers=given.headers)
        if operation.media_type is None:
            return call
        body: JsonValue = await self._particular(operation, realm, ids, spend=spend)
        if body is None:
            body = filler.object(operation.body, fields)
        if operation.media_type == MULTIPART:
            file = next((name for name, each in _properties(operation).items() if is_file(each)), "file")
            content = f"# {realm.mark()}\n\nSome text.".encode()
            return replace(call, body=body, upload=Upload(file, f"{realm.mark()}.txt", content))
        return replace(call, body=body)

    async def _particular(
        self, operation: Operation, realm: Realm, ids: Mapping[str, str], *, spend: bool
    ) -> JsonValue:
        """The body of an operation whose fields cannot be derived from the schema."""
        given = self._world.bodies.get(str(operation))
        if given is not None:
            sample = Sample(UUID(ids.get(_PROJECT, str(realm.project))), realm.mark)
            return dict(given(sample) if callable(given) else given)
        make = overrides.FIELDS.get(str(operation))
        if make is None:
            return None
        if spend or operation.id not in self._spent:
            self._spent[operation.id] = await make(self._world, realm)
        return self._spent[operation.id]

    async def _named(self, operation: Operation, realm: Realm, ids: Mapping[str, str]) -> dict[str, str]:
        """Ids for the fields of a body whose names belong to resources that can be created."""
        if operation.media_type != JSON:
            return {}
        found = {}
        for name in _properties(operation):
            if name not in ids and (name in overrides.NAMED or (name.endswith("_id") and name in self._created_in)):
                place = _filled(operation.path, ids) + "#" + name
                if place not in realm.known:
                    realm.known[place] = await self._new_named(name, realm, ids)
                found[name] = realm.known[place]
        return found

    async def _new_named(self, name: str, realm: Realm, ids: Mapping[str, str]) -> str:
        make = overrides.NAMED.get(name)
        if make is not None:
            return await make(self._world, realm, ids)
        project = ids.get(_PROJECT, str(realm.project))
        return await self._made_or_listed(self._created_in[name], realm, name, {_PROJECT: project})

    async def _permitted(self, recipe: Recipe) -> Recipe:
        """Adds the callers of HOME that are permitted."""
        permitted = set()
        for caller in self._world.callers:
            if caller.standing is Standing.MEMBER:
                ids = await self.ids_for(recipe, caller, fresh=recipe.consuming)
                call = await self.call(recipe, ids)
                if (await self._client.send(call, caller.token)).succeeded:
                    permitted.add(caller.name)
        return replace(recipe, permitted=frozenset(permitted))

    async def ids_for(self, recipe: Recipe, caller: Caller, *, fresh: bool) -> dict[str, str]:
        """HOME's ids. A key belongs to one project, so no other project is created for it."""
        alone = caller.account is None and recipe.operation.parameters[-1:] == (_PROJECT,)
        return await self.ids(recipe.operation, self._world.home, fresh=fresh and not alone)


def _properties(operation: Operation) -> dict[str, dict[str, JsonValue]]:
    properties = operation.body.get("properties")
    if not isinstance(properties, dict):
        return {}
    return {name: each for name, each in properties.items() if isinstance(each, dict)}


def _filled(prefix: str, ids: Mapping[str, str]) -> str:
    for name, value in ids.items():
        prefix = prefix.replace("{" + name + "}", value)
    return prefix


def _made(answer: JsonValue) -> list[str]:
    """The ids of what was created: one resource, or several in `items`."""
    if not isinstance(answer, dict):
        return []
    items = answer.get("items")
    found = items if isinstance(items, list) else [answer]
    return [str(each["id"]) for each in found if isinstance(each, dict) and "id" in each]


def _identified(answer: JsonValue, parameter: str) -> str | None:
    """The id of a created resource or of a list's first item: under the parameter's name, or `id`."""
    if not isinstance(answer, dict):
        return None
    items = answer.get("items")
    found = items[0] if isinstance(items, list) and items else answer
    if not isinstance(found, dict):
        return None
    value = found.get(parameter, found.get("id"))
    return None if value is None else str(value)

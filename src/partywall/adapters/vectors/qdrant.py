"""Qdrant, through its REST API. One collection for each model and dimension; a point's id is the passage's number.

Each point has its project as `project_id`, which Qdrant indexes as the tenant: it keeps a project's points together and
builds a graph for each large project instead of one for all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

import httpx2
import orjson
from pydantic import JsonValue

from partywall.adapters.vectors.qdrant_requests import KeyRefusedError, NotThereError, QdrantRequests
from partywall.core.log_masks import one_clean_line
from partywall.core.tenancy import ProjectScope
from partywall.core.vector_server import Point, VectorServerError, VectorSpace

PROJECT: Final = "project_id"
# Points in one answer of `numbers`.
SCROLLED_AT_ONCE: Final = 5_000
# Projects that `projects` names.
MOST_PROJECTS: Final = 100_000
MOST_FACET_BYTES: Final = 16 * 1024 * 1024
LARGEST_NUMBER: Final = 2**63 - 1  # of a passage; ids may be larger
OLDEST: Final = [1, 15, 4]


@dataclass(frozen=True, slots=True)
class QdrantOptions:
    url: str
    api_key: str | None
    prefix: str
    timeout: timedelta


@dataclass(frozen=True, slots=True)
class Qdrant:
    requests: QdrantRequests
    prefix: str
    _prepared: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, client: httpx2.AsyncClient, options: QdrantOptions) -> Qdrant:
        return cls(QdrantRequests(client, options.url, options.api_key, options.timeout), options.prefix)

    async def prepare(self, space: VectorSpace) -> None:
        """Creates the collection and its index of projects. Settings of an existing collection stay as they are."""
        name = self.collection(space)
        if name in self._prepared:
            return
        if not await self._exists(name):
            try:
                await self.requests.put(f"/collections/{name}", _new_collection(space))
            except VectorServerError:
                if not await self._exists(name):  # else another process has created it meanwhile
                    raise
        tenant = {"field_name": PROJECT, "field_schema": {"type": "keyword", "is_tenant": True}}
        await self.requests.put(f"/collections/{name}/index?wait=true", tenant)
        self._prepared.add(name)

    async def write(self, scope: ProjectScope, space: VectorSpace, points: Sequence[Point]) -> None:
        if not points:
            return
        payload = {PROJECT: str(scope.project_id)}
        body = {
            "points": [
                {"id": each.number, "vector": orjson.Fragment(each.vector), "payload": payload} for each in points
            ]
        }
        await self.prepare(space)
        name = self.collection(space)
        try:
            await self.requests.put(f"/collections/{name}/points?wait=true", body)
        except NotThereError:  # deleted since
            self._prepared.discard(name)
            raise

    async def delete(self, scope: ProjectScope, space: VectorSpace, numbers: Sequence[int]) -> None:
        if not numbers:
            return
        body = {"filter": {"must": [*_of(scope.project_id)["must"], {"has_id": list(numbers)}]}}
        try:
            await self.requests.post(f"/collections/{self.collection(space)}/points/delete?wait=true", body)
        except NotThereError:
            return

    async def nearest(self, scope: ProjectScope, space: VectorSpace, vector: str, limit: int) -> list[int]:
        body = {
            "query": orjson.Fragment(vector), "filter": _of(scope.project_id), "limit": limit,
            "params": {"hnsw_ef": limit}, "with_payload": False, "with_vector": False,
        }  # fmt: skip
        answer = await self.requests.post(f"/collections/{self.collection(space)}/points/query", body)
        return _ids(answer)[:limit]

    async def numbers(self, scope: ProjectScope, space: VectorSpace) -> AsyncIterator[list[int]]:
        path = f"/collections/{self.collection(space)}/points/scroll"
        offset: int | None = 0
        while offset is not None:
            body = {
                "filter": _of(scope.project_id), "limit": SCROLLED_AT_ONCE, "offset": offset,
                "with_payload": False, "with_vector": False,
            }  # fmt: skip
            try:
                answer = await self.requests.post(path, body)
            except NotThereError:
                return
            yield _ids(answer)
            offset = _next(answer, offset)

    async def projects(self, space: VectorSpace) -> set[UUID]:
        body = {"key": PROJECT, "limit": MOST_PROJECTS, "exact": True}
        try:
            answer = await self.requests.post(
                f"/collections/{self.collection(space)}/facet", body, most=MOST_FACET_BYTES
            )
        except NotThereError:
            return set()
        return {_project(each.get("value")) for each in _items(answer, "hits") if each.get("count")}

    async def delete_project(self, project_id: UUID) -> None:
        for each in _items(await self.requests.get("/collections"), "collections"):
            name = str(each.get("name"))
            if self._is_ours(name):
                await self.requests.post(f"/collections/{name}/points/delete?wait=true", {"filter": _of(project_id)})

    async def ping(self) -> None:
        await self.requests.get("/collections")

    async def refusal(self) -> str | None:
        try:
            version = await self.requests.version()
            await self.ping()
        except KeyRefusedError as error:
            return f"VECTORS__API_KEY: {error}"
        except VectorServerError:
            return None
        said = one_clean_line(version, 40)
        if [int(each) for each in said.partition("-")[0].split(".") if each.isdecimal()] < OLDEST:
            return f"VECTORS__URL: Qdrant {'.'.join(map(str, OLDEST))} or newer is needed, the server is {said}"
        return None

    def collection(self, space: VectorSpace) -> str:
        """A readable name; the hash distinguishes models whose names have the same letters and digits."""
        readable = "".join(each if each.isascii() and each.isalnum() else "-" for each in space.model[:60].lower())
        return f"{self.prefix}-{space.dimension}-{readable}-{sha256(space.model.encode()).hexdigest()[:12]}"

    def _is_ours(self, name: str) -> bool:
        """Not that of another database, whose prefix may begin with ours."""
        begin, _, rest = name.partition(f"{self.prefix}-")
        return not begin and rest.partition("-")[0].isdecimal()

    async def _exists(self, name: str) -> bool:
        answer = await self.requests.get(f"/collections/{name}/exists")
        return isinstance(answer, dict) and answer.get("exists") is True


def _new_collection(space: VectorSpace) -> Mapping[str, object]:
    """Half precision, as in PostgreSQL. `m` and `payload_m`: a graph for each project, none for all together."""
    return {
        "vectors": {"size": space.dimension, "distance": "Cosine", "datatype": "float16"},
        "hnsw_config": {"m": 0, "payload_m": 16},
    }


def _of(project_id: UUID) -> dict[str, list[object]]:
    return {"must": [{"key": PROJECT, "match": {"value": str(project_id)}}]}


def _ids(answer: JsonValue) -> list[int]:
    """Without what cannot be the number of a passage, such as a UUID."""
    found = (each.get("id") for each in _items(answer, "points"))
    return [number for number in found if isinstance(number, int) and number <= LARGEST_NUMBER]


def _next(answer: JsonValue, last: int) -> int | None:
    """Where the next page begins: after the `last` one, else this would never end."""
    offset = answer.get("next_page_offset") if isinstance(answer, dict) else None
    if offset is None or (isinstance(offset, int) and offset > last):
        return offset
    raise VectorServerError("the vector server's pages do not end")


def _project(value: JsonValue) -> UUID:
    try:
        return UUID(str(value))
    except ValueError as error:
        raise VectorServerError("the vector server names a project that is none") from error


def _items(answer: JsonValue, key: str) -> list[dict[str, JsonValue]]:
    found = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(found, list):
        raise VectorServerError(f"the vector server's answer has no {key}")
    return [each for each in found if isinstance(each, dict)]

"""`Idempotency-Key`: the first success is stored in its own transaction and replayed.

Of a large answer only the ids are stored: the replay shows their current state.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

import orjson
from fastapi import Depends, Header, Request
from pydantic import BaseModel, StringConstraints
from redis.asyncio import Redis
from sqlalchemy import ColumnElement, and_, delete, func, insert, select
from starlette.responses import Response

from partywall.core.cache_keys import request_claim
from partywall.core.clock import utc_now
from partywall.core.db.scoped_access import ScopedWriter
from partywall.core.db.scopes import open_shared_scope
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.errors import ConflictError, NotFoundError, PartywallError
from partywall.core.http.dependencies import PrincipalDep
from partywall.core.http.json_body import DIGEST
from partywall.core.http.responses import json_response
from partywall.core.idempotency.claims import claim
from partywall.core.idempotency.models import IdempotencyKey
from partywall.core.idempotency.replay import Show
from partywall.core.schemas import WITHOUT_BLANKS
from partywall.core.tenancy import Principal, ProjectScope

KEPT_FOR: Final = timedelta(hours=24)
NO_PROJECT: Final = UUID(int=0)
# Larger answers are not stored for a day: one account could fill the disk with them.
LARGEST_KEPT: Final = 256 * 1024
_REPLAYED_HEADERS: Final = frozenset({"location", "etag", "content-type"})
REPLAYED: Final = "Idempotent-Replayed"

KeyHeader = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")] | None,
    WITHOUT_BLANKS,
    Header(
        alias="Idempotency-Key",
        description="Repeats under the same key replay the first success for 24 hours.",
    ),
]


class IdempotencyKeyReusedError(PartywallError):
    status = 422
    code = "idempotency_key_reused"
    title = "The key was used for another request"


class RequestInProgressError(ConflictError):
    code = "request_in_progress"
    title = "A request under this key is still in progress"


@dataclass(frozen=True, slots=True)
class Idempotency:
    principal: Principal
    project_id: UUID
    route: str
    key: str | None
    fingerprint: bytes

    async def run(
        self,
        session: AsyncSession,
        produce: Callable[[], Awaitable[Response]],
        *,
        fingerprint: bytes = b"",
        keep: Callable[[bytes], bytes] = bytes,
        show: Show | None = None,
    ) -> Response:
        """The result of `produce()`, or the replay of an earlier one.

        The session's principal must be bound and the caller authorised. `fingerprint` adds what the body does not
        contain, such as the hash of an uploaded file. `keep` turns an answer's body that contains a secret into what is
        stored. `show` recreates a body that was too large to store.
        """
        if self.key is None:
            return await produce()
        if not await session.scalar(select(func.pg_try_advisory_xact_lock(self._lock()))):
            raise RequestInProgressError
        row = await self._row(session)
        if row is not None and _is_kept(row):
            return await _replay(session, row, self._print(fingerprint), show)
        if row is not None:
            await session.execute(delete(IdempotencyKey).where(self._same()))
        response = await produce()
        if response.status_code < 300:
            await self._keep(session, self._print(fingerprint), response, keep(bytes(response.body)), show)
        return response

    async def replay(
        self, session: AsyncReadSession, *, fingerprint: bytes = b"", show: Show | None = None
    ) -> Response | None:
        """The earlier answer, if any. As in `run`, the principal must be bound and the caller authorised."""
        if self.key is None:
            return None
        row = await self._row(session)
        if row is None or not _is_kept(row):
            return None
        return await _replay(session, row, self._print(fingerprint), show)

    @asynccontextmanager
    async def claimed(self, cache: Redis) -> AsyncIterator[None]:
        """Wraps work that is too slow for a transaction; raises RequestInProgressError if the key is in use."""
        if self.key is None:
            yield
            return
        async with claim(cache, request_claim(self._name())) as ours:
            if not ours:
                raise RequestInProgressError
            yield

    async def run_model[M: BaseModel](
        self, session: AsyncSession, model: type[M], produce: Callable[[], Awaitable[M]]
    ) -> M:
        """Like `run`, for a function that returns a model."""

        async def respond() -> Response:
            return json_response(await produce())

        return model.model_validate_json(bytes((await self.run(session, respond)).body))

    async def run_write(
        self,
        writer: ScopedWriter,
        authorise: Callable[[ProjectScope], None],
        produce: Callable[[], Awaitable[Response]],
        *,
        fingerprint: bytes = b"",
        show: Callable[[ProjectScope], Show] | None = None,
    ) -> Response:
        """Like `run`, for a `ScopedWriter`, which needs no session without a key. `authorise` raises as usual."""
        if self.key is None or writer.session is None:
            return await produce()
        scope = await open_shared_scope(writer.session, writer.principal, self.project_id, accepting=True)
        authorise(scope)
        shown = None if show is None else show(scope)
        return await self.run(writer.session, produce, fingerprint=fingerprint, show=shown)

    async def _row(self, session: AsyncReadSession) -> IdempotencyKey | None:
        row: IdempotencyKey | None = await session.scalar(select(IdempotencyKey).where(self._same()))
        return row

    def _same(self) -> ColumnElement[bool]:
        return and_(
            IdempotencyKey.principal == str(self.principal),
            IdempotencyKey.project_id == self.project_id,
            IdempotencyKey.route == self.route,
            IdempotencyKey.key == self.key,
        )

    def _print(self, fingerprint: bytes) -> bytes:
        return hashlib.sha256(self.fingerprint + fingerprint).digest()

    def _name(self) -> bytes:
        return hashlib.sha256(f"{self.principal}\0{self.project_id}\0{self.route}\0{self.key}".encode()).digest()

    def _lock(self) -> int:
        return int.from_bytes(self._name()[:8], signed=True)

    async def _keep(
        self, session: AsyncSession, fingerprint: bytes, response: Response, body: bytes, show: Show | None
    ) -> None:
        headers = {name: value for name, value in response.headers.items() if name in _REPLAYED_HEADERS}
        subjects = _subjects(headers.get("location"), body)
        if show is not None and len(body) > LARGEST_KEPT:
            headers.pop("etag", None)  # a later replay may have another
            body = b""
        await session.execute(
            insert(IdempotencyKey).values(
                principal=str(self.principal), project_id=self.project_id, route=self.route, key=self.key,
                fingerprint=fingerprint, status=response.status_code, headers=headers, body=body,
                subjects=subjects,
            )
        )  # fmt: skip


def _is_kept(row: IdempotencyKey) -> bool:
    return utc_now() - row.created_at < KEPT_FOR


async def _replay(session: AsyncReadSession, row: IdempotencyKey, fingerprint: bytes, show: Show | None) -> Response:
    if row.fingerprint != fingerprint:
        raise IdempotencyKeyReusedError
    if row.status == NotFoundError.status:
        raise NotFoundError("What this request created has been deleted.")
    body = await show(session, row.subjects) if show is not None and not row.body else row.body
    return Response(body, row.status, headers={**row.headers, REPLAYED: "true"})


def _subjects(location: str | None, body: bytes) -> list[UUID]:
    """The ids in an answer: of the one created resource, or of each item in a list."""
    if location is not None:
        return _ids([location.rpartition("/")[2]])
    answer = orjson.loads(body) if body else None
    shown = answer.get("items", [answer]) if isinstance(answer, dict) else []
    return _ids([each.get("id") for each in shown if isinstance(each, dict)])


def _ids(given: Sequence[object]) -> list[UUID]:
    ids: list[UUID] = []
    for each in given:
        with suppress(ValueError):
            ids.append(UUID(str(each)))
    return ids


def _project(given: str | None) -> UUID:
    try:
        return UUID(given) if given else NO_PROJECT
    except ValueError:
        return NO_PROJECT  # the route's own parameter answers 422


async def get_idempotency(request: Request, principal: PrincipalDep, key: KeyHeader = None) -> Idempotency:
    body = b"" if key is None or not hasattr(request, "_body") else await request.body()
    body = request.scope["state"].get(DIGEST, body)
    parts = (request.method.encode(), request.url.path.encode(), request.url.query.encode(), body)
    return Idempotency(
        principal=principal,
        project_id=_project(request.path_params.get("project_id")),
        route=f"{request.method} {getattr(request.scope.get('route'), 'name', request.url.path)}",
        key=key,
        fingerprint=b"" if key is None else hashlib.sha256(b"\0".join(parts)).digest(),
    )


IdempotencyDep = Annotated[Idempotency, Depends(get_idempotency)]

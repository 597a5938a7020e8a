"""The baseline ("floor") for the product: the same responses without validation, row-level security or ORM.

Bare Starlette routes on the same uvicorn with the product's token check. They query PostgreSQL through an asyncpg pool
of the same size, as a role that bypasses the policies. A read is one autocommitted statement; a creation is BEGIN, the
INSERTs of the rows that the product writes, and COMMIT.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from partywall.core.db import engine as engines
from partywall.core.db.session import Sessions
from partywall.core.http.dependencies import bearer_token
from partywall.core.ids import new_id
from partywall.core.security.keys import SIGNING_KEYS, KeyRing
from partywall.core.security.revocation_check import RevocationCheck
from partywall.core.security.secrets import SecretKeeper
from partywall.core.security.tokens import AccessTokens
from partywall.core.tenancy import Principal
from partywall.resources import ISSUER
from partywall.secret_key import secret_key
from partywall.settings import Settings

SUPERUSER_URL = "FLOOR_SUPERUSER_URL"

INSTANT = """to_char(timezone('UTC', {0}), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS {0}"""
SUMMARY = f"""id, external_id, title, metadata, status, index_status, index_error, media_type, size, content_sha256,
    revision, version, split_part(created_by, ':', 2) AS created_by,
    {INSTANT.format("created_at")}, {INSTANT.format("updated_at")}, '{{}}'::text[] AS warnings"""
GET = f"""SELECT convert_to(row_to_json(shown)::text, 'UTF8')
    FROM (SELECT {SUMMARY}, content FROM document
        WHERE project_id = $1 AND id = $2 AND deleted_at IS NULL) AS shown"""  # noqa: S608 - constants
LIST = f"""SELECT convert_to(json_agg(shown)::text, 'UTF8') FROM (
    SELECT {SUMMARY} FROM document WHERE project_id = $1 AND deleted_at IS NULL
    ORDER BY document.created_at DESC, document.id DESC LIMIT $2) AS shown"""  # noqa: S608 - constants
INSERT_DOCUMENT = f"""WITH made AS (
        INSERT INTO document (project_id, id, title, content, metadata, size, content_sha256, created_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *)
    SELECT convert_to(row_to_json(shown)::text, 'UTF8') FROM (SELECT {SUMMARY}, content FROM made) AS shown"""  # noqa: S608 - constants
INSERT_VERSION = """INSERT INTO document_version
    (project_id, document_id, number, title, size, content_sha256, created_by)
    VALUES ($1, $2, 1, $3, $4, $5, $6)"""
INSERT_EVENT = "INSERT INTO pending_event (project_id, actor, events) VALUES ($1, $2, $3)"
NUMBER_EVENTS = "SELECT FROM wall.number_events($1, 1000)"
NUMBER_SECONDS = 0.01


async def authenticated(request: Request) -> Principal:
    tokens: AccessTokens = request.app.state.tokens
    token = bearer_token(request.headers.get("authorization")) or ""
    return tokens.cached(token) or await tokens.authenticate(token)


def pool(request: Request) -> asyncpg.Pool[asyncpg.Record]:
    found: asyncpg.Pool[asyncpg.Record] = request.app.state.pool
    return found


async def get_document(request: Request) -> Response:
    await authenticated(request)
    path = request.path_params
    body = await pool(request).fetchval(GET, UUID(path["project_id"]), UUID(path["document_id"]))
    return Response(body, media_type="application/json")


async def list_documents(request: Request) -> Response:
    await authenticated(request)
    limit = int(request.query_params["limit"])
    items = await pool(request).fetchval(LIST, UUID(request.path_params["project_id"]), limit)
    return Response(b'{"items":%b,"next_cursor":null,"total":null}' % items, media_type="application/json")


async def create_document(request: Request) -> Response:
    actor = str(await authenticated(request))
    project, document = UUID(request.path_params["project_id"]), new_id()
    given = orjson.loads(await request.body())
    title, content = given["title"], given["content"]
    encoded = content.encode()
    size, sha256 = len(encoded), hashlib.sha256(encoded).hexdigest()
    told = {"type": "document.created", "subject_kind": "document", "subject_id": str(document)}
    events = orjson.dumps([{**told, "data": {"title": title, "revision": 1}}]).decode()
    async with pool(request).acquire() as connection, connection.transaction():
        body = await connection.fetchval(INSERT_DOCUMENT, project, document, title, content, "{}", size, sha256, actor)
        await connection.execute(INSERT_VERSION, project, document, title, size, sha256, actor)
        await connection.execute(INSERT_EVENT, project, actor, events)
    request.app.state.written.add(project)
    return Response(body, 201, media_type="application/json")


async def number_events(app: Starlette) -> None:
    """Numbers events in the background, as the product does."""
    while True:
        await asyncio.sleep(NUMBER_SECONDS)
        if app.state.written:
            projects, app.state.written = app.state.written, set()
            await app.state.pool.fetch(NUMBER_EVENTS, list(projects))


async def healthz(_: Request) -> Response:
    return Response(b"{}", media_type="application/json")


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    settings = Settings()
    assert settings.database.url is not None
    options = engines.server_settings("bench-floor", 15_000)
    url = settings.database.url.get_secret_value()
    engine = engines.create_engine(url, pool_size=1, overflow=0, settings=options)
    sessions = Sessions(engine)
    keys = KeyRing(sessions, SecretKeeper(secret_key(settings)).box(SIGNING_KEYS))
    app.state.tokens = AccessTokens(
        keys, ISSUER, settings.accounts.access_token_ttl, RevocationCheck(sessions).is_not_revoked
    )
    app.state.pool = await engines.create_read_pool(
        os.environ[SUPERUSER_URL], size=settings.database.pool_size, settings=options
    )
    app.state.written = set[UUID]()
    numbering = asyncio.create_task(number_events(app))
    yield
    numbering.cancel()
    app.state.pool.terminate()
    await engine.dispose()


PROJECT = "/api/v1/projects/{project_id}/documents"
ROUTES = [
    Route(PROJECT, list_documents, methods=["GET"]),
    Route(PROJECT, create_document, methods=["POST"]),
    Route(PROJECT + "/{document_id}", get_document, methods=["GET"]),
    Route("/healthz", healthz),
]


if __name__ == "__main__":
    uvicorn.run(
        Starlette(routes=ROUTES, lifespan=lifespan),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )

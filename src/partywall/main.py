from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext

from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware

from partywall import __version__
from partywall.core.budget import SharedBudget
from partywall.core.feature import Feature
from partywall.core.http.admission import Admission, targets
from partywall.core.http.body_memory import BodyMemory
from partywall.core.http.compression import Compression
from partywall.core.http.dependencies import require_principal
from partywall.core.http.docs import serve_docs
from partywall.core.http.drain import set_on_signal
from partywall.core.http.fast_path.declaration import fast_path_plans
from partywall.core.http.fast_path.middleware import FastPath
from partywall.core.http.forwarded_headers import ForwardedNotice
from partywall.core.http.head import HeadAsGet
from partywall.core.http.middleware import RequestContext
from partywall.core.http.openapi import describe, operation_id
from partywall.core.http.problems import install_problem_handlers
from partywall.core.http.public_routes import set_public
from partywall.core.http.route_template import keep_templates
from partywall.core.http.socket_context import SocketContext
from partywall.core.http.sockets import require_socket_principal
from partywall.core.http.sub_path import SubPath, first_segments
from partywall.core.memory import exempt_from_collection
from partywall.core.security.client_address import ClientAddresses
from partywall.core.spool import Spool, keep_temporary_files
from partywall.core.watchdog import watched
from partywall.extensions.enabled import enabled_features
from partywall.extensions.path_checks import VERSION
from partywall.extensions.resources import with_features
from partywall.logs import access_log
from partywall.resources import open_resources
from partywall.settings import Settings


def create_app(settings: Settings, *, own_process: bool = False, heartbeat: int | None = None) -> FastAPI:
    """The HTTP application for these settings; opens nothing before its lifespan.

    With `own_process`, the process ends when its event loop hangs. `heartbeat` is the descriptor that the watchdog
    writes to while the loop responds.
    """

    features = enabled_features(settings.features.enabled)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with watched(settings.processes.loop_timeout, heartbeat) if own_process else nullcontext():
            async with open_resources(settings, application="partywall-api", draining=app.state.draining) as resources:
                app.state.resources = with_features(resources, features)
                if own_process:
                    _own(settings)
                with set_on_signal(app.state.draining):
                    yield

    app = FastAPI(
        title="Partywall",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        generate_unique_id_function=operation_id,
        # A redirect would contain whatever Host the client sent.
        redirect_slashes=False,
    )
    app.state.draining = asyncio.Event()
    set_public(app, (name for feature in features for name in feature.public_routes))
    install_problem_handlers(app)
    _include_routes(app, features)
    describe(app, [tag for feature in features for tag in feature.tags], "/")
    if settings.serves_docs:
        serve_docs(app)
    keep_templates(app)
    _add_middleware(app, settings)
    return app


def _own(settings: Settings) -> None:
    """What concerns the process as a whole."""
    keep_temporary_files(settings.spool_directory)
    exempt_from_collection()


def _include_routes(app: FastAPI, features: Sequence[Feature]) -> None:
    """Requires a principal on every route. Includes each router once: FastAPI analyses its routes at every level."""
    app.state.tools = tuple(feature.tools for feature in features if feature.tools is not None)
    for router in (router for feature in features for router in feature.routers):
        app.include_router(router.load(), prefix=VERSION, dependencies=[Depends(require_principal)])
    for router in (router for feature in features for router in feature.socket_routers):
        app.include_router(router.load(), prefix=VERSION, dependencies=[Depends(require_socket_principal)])
    for router in (router for feature in features for router in feature.root_routers):
        app.include_router(router.load(), dependencies=[Depends(require_principal)])


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    _add_admission(app, settings)
    app.add_middleware(FastPath, plans=fast_path_plans(app.routes))
    # A thread compresses what would take the event loop more than some milliseconds.
    app.add_middleware(Compression, minimum_size=1024, compresslevel=5, thread_minimum_size=32 * 1024)
    if settings.http.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.http.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match",
                           "Last-Event-ID", "X-Request-ID", "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"],
            expose_headers=["ETag", "Location", "X-Request-ID", "X-Search-Mode", "Retry-After", "Idempotent-Replayed",
                            "WWW-Authenticate"],
        )  # fmt: skip
    app.add_middleware(HeadAsGet)
    clients = ClientAddresses(settings.http.trusted_proxies)
    notice = ForwardedNotice(clients)
    app.add_middleware(RequestContext, access_log=access_log(settings.log), notice=notice)
    app.add_middleware(SocketContext, access_log=access_log(settings.log))
    app.add_middleware(
        SubPath, configured=settings.http.sub_path, clients=clients, own=lambda: first_segments(app.routes)
    )


def _add_admission(app: FastAPI, settings: Settings) -> None:
    """Each caller may use at most a third of the disk space and memory for large bodies."""
    http = settings.http
    app.state.body_memory = BodyMemory.of(http.body_memory_bytes)
    app.add_middleware(
        Admission,
        targets=lambda: targets(app.routes, app.state.public, settings.max_body_bytes),
        spool=Spool(settings.spool_directory, SharedBudget[str](settings.spool_bytes, settings.spool_bytes // 3)),
        memory=app.state.body_memory,
    )

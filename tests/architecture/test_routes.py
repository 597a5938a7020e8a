"""Every route is guarded, ends its transaction in time and is described correctly."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, params
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel

from partywall.core.http import dependencies
from partywall.core.http.problems import MEDIA_TYPE
from partywall.core.http.sockets import require_socket_principal
from partywall.extensions.enabled import enabled_features
from partywall.features.live.dependencies import first_message_of
from tests.architecture.routes import (
    Route,
    application,
    contexts,
    is_ours,
    models_in,
    operation_of,
    routes,
    sockets,
    yielded_annotation,
)

# Everything that an anonymous caller can reach. Adding a route here is a deliberate decision.
ANONYMOUS = {
    "POST /api/v1/auth/register",
    "POST /api/v1/auth/token",
    "POST /api/v1/auth/revoke",
    "GET /api/v1/auth/oauth",
    "GET /api/v1/auth/oauth/{provider}/authorize",  # begins a login
    "GET /api/v1/auth/oauth/{provider}/callback",  # the state and a cookie are the credential
    "POST /api/v1/auth/oauth/token",  # the code and its verifier are the credential
    "POST /api/v1/auth/email/verify",  # the token from the mail is the credential
    "POST /api/v1/auth/email/resend",  # for users who cannot log in yet; the answer is always the same
    "POST /api/v1/auth/password/forgot",  # likewise
    "POST /api/v1/auth/password/reset",  # the token from the mail is the credential
    "POST /api/v1/auth/unlock",  # likewise
    "GET /api/v1/projects/{project_id}/events",  # the route itself reads the ticket or the bearer token
    "GET /api/v1/projects/{project_id}/runs/{run_id}/events",  # likewise
    "GET /.well-known/jwks.json",
    "GET /healthz",
    "GET /readyz",
}
PUBLIC = {name for feature in enabled_features() for name in feature.public_routes}
OUTSIDE_THE_API = {"/docs", "/docs/assets", "/openapi.json"}
CREATES_NOTHING_LASTING = {
    "POST /api/v1/projects/{project_id}/events/ticket",
    "POST /api/v1/projects/{project_id}/transfer",
}

# Its creating tools take their idempotency key as an argument.
TAKES_KEYS_WITHIN = {"POST /api/v1/projects/{project_id}/mcp"}
# The protocol's notifications are accepted as well as its requests, which get an answer.
ACCEPTS_AND_ANSWERS = {
    "POST /api/v1/projects/{project_id}/mcp": {"202"},
    "POST /api/v1/projects/{project_id}/documents/upload": {"200"},
    "POST /api/v1/projects/{project_id}/documents/delete": {"200"},
}

# They send a browser elsewhere.
REDIRECTS = {"GET /api/v1/auth/oauth/{provider}/authorize", "GET /api/v1/auth/oauth/{provider}/callback"}

# Accepts a WebSocket and authenticates its caller with the first message.
SOCKET_AUTHENTICATION = (first_message_of,)

every_route = pytest.mark.parametrize("route", routes(), ids=str)
every_socket = pytest.mark.parametrize("route", sockets(), ids=str)


def test_the_application_has_routes() -> None:
    assert len(routes()) > 20


def test_a_group_of_operations_takes_the_place_that_its_tag_asks_for() -> None:
    names = [tag["name"] for tag in application().openapi()["tags"]]
    assert names[3:8] == ["quotas", "api keys", "documents", "search", "events"]
    assert names[-1] == "operation"


def test_only_the_documentation_is_served_outside_the_guarded_routers() -> None:
    assert {context.path for context in contexts() if not is_ours(context)} == OUTSIDE_THE_API


@every_route
def test_a_route_stands_behind_the_authentication(route: Route) -> None:
    assert route.calls(dependencies.require_principal)
    assert (route.name in PUBLIC) == (str(route) in ANONYMOUS)


@every_route
def test_a_route_that_needs_nobody_is_public_and_the_others_know_their_caller(route: Route) -> None:
    """A non-public route that never reads its caller is either pointless or a leak."""
    if route.name not in PUBLIC:
        assert route.calls(dependencies.get_principal)


def test_each_public_name_opens_one_route() -> None:
    """The set contains endpoint names: a second route with the same name would be public, too."""
    opened = sorted(route.name for route in routes() if route.name in PUBLIC)
    assert opened == sorted(PUBLIC)


@every_route
def test_a_route_holds_its_session_only_until_the_answer(route: Route) -> None:
    late = [
        dependant.call
        for dependant in route.tree()
        if "Session" in (yielded_annotation(dependant) or "") and dependant.scope != "function"
    ]
    assert late == []


def test_the_session_aliases_have_function_scope() -> None:
    aliases = [alias for name, alias in vars(dependencies).items() if name.endswith("SessionDep")]
    assert len(aliases) >= 2
    for alias in aliases:
        [depends] = alias.__metadata__
        assert isinstance(depends, params.Depends)
        assert depends.scope == "function"


@every_route
def test_a_route_of_a_project_proves_that_the_caller_may_enter(route: Route) -> None:
    if "{project_id}" in route.path and str(route) not in ANONYMOUS:
        scopes = (
            dependencies.get_project_scope,
            dependencies.get_locking_project_scope,
            dependencies.get_read_project_scope,
            dependencies.get_scoped_reader,
            dependencies.get_scoped_writer,
        )
        assert any(route.calls(scope) for scope in scopes)


def test_the_application_has_these_websockets() -> None:
    assert [str(route) for route in sockets()] == ["WS /api/v1/projects/{project_id}/ws"]


@every_socket
def test_a_websocket_stands_behind_its_authentication(route: Route) -> None:
    assert route.calls(require_socket_principal)


@every_socket
def test_a_websocket_knows_its_caller(route: Route) -> None:
    assert any(route.calls(dependency) for dependency in SOCKET_AUTHENTICATION)
    assert route.name not in PUBLIC


@every_socket
def test_a_websocket_holds_no_session(route: Route) -> None:
    """The session would last as long as the socket."""
    assert [each.call for each in route.tree() if "Session" in (yielded_annotation(each) or "")] == []


@every_route
def test_a_route_is_described(route: Route) -> None:
    operation = operation_of(route)
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]
    assert operation["security"] if route.name not in PUBLIC else "security" in operation
    assert MEDIA_TYPE in operation["responses"]["default"]["content"]


@every_route
def test_a_route_declares_what_it_answers(route: Route) -> None:
    """A status and its content: a model, or another media type."""
    beside = {"206"} | ACCEPTS_AND_ANSWERS.get(str(route), set())
    answers = operation_of(route)["responses"]
    if str(route) in REDIRECTS:
        assert "Location" in answers["303"]["headers"]
        return
    [status] = [each for each in answers if each.startswith("2") and each not in beside]
    answer = answers[status]
    assert status == "204" or any(
        media.get("schema") or name != "application/json" for name, media in answer.get("content", {}).items()
    )


@every_route
def test_a_body_refuses_unknown_fields(route: Route) -> None:
    fields = [field for field in route.body_fields() if not isinstance(field, params.Form)]
    lenient = [
        model.__name__
        for field in fields
        for model in models_in(field.annotation)
        if model.model_config.get("extra") != "forbid"
    ]
    assert lenient == []


@every_route
def test_a_creating_post_takes_an_idempotency_key(route: Route) -> None:
    creates = "POST" in route.methods and route.context.status_code in {200, 201}
    if creates and str(route) not in ANONYMOUS | CREATES_NOTHING_LASTING | TAKES_KEYS_WITHIN:
        assert "idempotency-key" in route.headers()


def test_endpoint_names_are_unique() -> None:
    """The public set and the idempotency records use these names."""
    names = [route.name for route in (*routes(), *sockets())]
    assert sorted(names) == sorted(set(names))


def test_openapi_names_every_route() -> None:
    paths = application().openapi()["paths"]
    documented = {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations}
    assert documented == {str(route) for route in routes()}


class Lenient(BaseModel):
    name: str


async def ungated(body: Lenient, session: Annotated[object, Depends(dependencies.get_session)]) -> None:
    """An endpoint that breaks every rule."""


def test_the_checks_above_find_a_bad_route() -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.post("/things")(ungated)
    [context] = [context for context in iter_route_contexts(app.routes) if isinstance(context.original_route, APIRoute)]
    bad = Route(context)
    for check in (
        test_a_route_stands_behind_the_authentication,
        test_a_route_that_needs_nobody_is_public_and_the_others_know_their_caller,
        test_a_route_holds_its_session_only_until_the_answer,
        test_a_body_refuses_unknown_fields,
    ):
        with pytest.raises(AssertionError):
            check(bad)


def test_the_checks_above_find_a_bad_websocket() -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.websocket("/things")(ungated)
    [bad] = [Route(context) for context in iter_route_contexts(app.routes)]
    for check in (
        test_a_websocket_stands_behind_its_authentication,
        test_a_websocket_knows_its_caller,
        test_a_websocket_holds_no_session,
    ):
        with pytest.raises(AssertionError):
            check(bad)

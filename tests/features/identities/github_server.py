"""A loopback server with GitHub's OAuth 2 routes and those of its API that tell who has logged in."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from partywall.features.identities.external_login import challenge_of
from tests.loopback import served

CLIENT_ID = "partywall"
SECRET = "the secret of the app"


@dataclass
class GitHubUser:
    """Who is logged in to GitHub in the browser."""

    email: str
    verified: bool = True
    id: int = field(default_factory=lambda: uuid4().int % 10**12 + 1)
    name: str | None = "Ada"


@dataclass
class GitHubServer:
    """Approves every login for `user`. `away` makes it fail, `denies` makes the person refuse."""

    user: GitHubUser
    url: str = ""
    away: bool = False
    denies: bool = False
    answers: dict[str, Response] = field(default_factory=dict)
    """By path, in place of its own."""
    _codes: dict[str, tuple[GitHubUser, str, str]] = field(default_factory=dict)
    _tokens: dict[str, GitHubUser] = field(default_factory=dict)

    async def authorize(self, request: Request) -> Response:
        query, code = request.query_params, secrets.token_hex(10)
        self._codes[code] = (self.user, query["code_challenge"], query["redirect_uri"])
        result = {"error": "access_denied"} if self.denies else {"code": code}
        answer = {**result, "state": query["state"], "iss": f"{self.url}/login/oauth"}
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode(answer)}", 302)

    async def exchange(self, request: Request) -> Response:
        form = await request.form()
        user, challenge, redirect = self._codes.pop(str(form["code"]), (None, "", ""))
        client = (form["client_id"], form["client_secret"], form["redirect_uri"]) == (CLIENT_ID, SECRET, redirect)
        if user is None or not client or challenge_of(str(form["code_verifier"])) != challenge:
            return JSONResponse({"error": "bad_verification_code"})  # GitHub answers 200
        token = secrets.token_hex(10)
        self._tokens[token] = user
        return JSONResponse({"access_token": token, "token_type": "bearer", "scope": "read:user,user:email"})

    async def tell_user(self, request: Request) -> Response:
        user = self._tokens[request.headers["authorization"].removeprefix("Bearer ")]
        return JSONResponse({"id": user.id, "login": "ada", "name": user.name})

    async def tell_addresses(self, request: Request) -> Response:
        user = self._tokens[request.headers["authorization"].removeprefix("Bearer ")]
        primary = {"email": user.email, "primary": True, "verified": user.verified, "visibility": None}
        return JSONResponse([{"email": "other@example.com", "primary": False, "verified": True}, primary])

    async def answer(self, request: Request) -> Response:
        if self.away:
            return Response(status_code=503)
        path = request.url.path
        routes = {
            "/login/oauth/authorize": self.authorize, "/login/oauth/access_token": self.exchange,
            "/api/v3/user": self.tell_user, "/api/v3/user/emails": self.tell_addresses,
        }  # fmt: skip
        return self.answers[path] if path in self.answers else await routes[path](request)


@asynccontextmanager
async def github_server() -> AsyncIterator[GitHubServer]:
    running = GitHubServer(GitHubUser("nobody@example.com"))
    routes = [Route("/{path:path}", running.answer, methods=["GET", "POST"])]
    async with served(routes) as running.url:
        yield running

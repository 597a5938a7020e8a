from __future__ import annotations

from collections.abc import Generator

import httpx2
from pydantic import BaseModel, ConfigDict

from partywall.client.errors import ApiError, ClientError, NotLoggedIn, Problem, read_problem
from partywall.client.store import Session, SessionFile

KEY_VARIABLE = "PARTYWALL_KEY"
KEY_PREFIX = "pw_"
TOKEN_PATH = "/api/v1/auth/token"  # noqa: S105 - a path


class Tokens(BaseModel):
    model_config = ConfigDict(extra="ignore")

    access_token: str
    refresh_token: str


class KeyAuth(httpx2.Auth):
    """Sends a project's key. Raises ClientError if `key` does not look like one."""

    def __init__(self, key: str) -> None:
        if not (key.startswith(KEY_PREFIX) and key.isascii() and key.isprintable()):
            raise ClientError(f"{KEY_VARIABLE} is not a project key: keys start with {KEY_PREFIX}")
        self._key = key

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._key}"
        response = yield request
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            said = f"the server rejected the key in {KEY_VARIABLE}: it is expired, revoked or from another server"
            raise ApiError(response.status_code, Problem(code="not_authenticated", detail=said))


class TokenAuth(httpx2.Auth):
    """Sends the access token and renews it after a 401; stores the rotated tokens before they are used."""

    def __init__(self, server: str, file: SessionFile) -> None:
        self._server = server
        self._file = file

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        used = self._session()
        request.headers["Authorization"] = f"Bearer {used.access_token}"
        response = yield request
        if response.status_code != httpx2.codes.UNAUTHORIZED:
            return
        with self._file.locked():
            current = self._session()
            if current.access_token == used.access_token:
                answer = yield self._renewal(current)
                answer.read()
                if answer.status_code in (httpx2.codes.BAD_REQUEST, httpx2.codes.UNAUTHORIZED):
                    raise NotLoggedIn(self._server)
                if answer.status_code != httpx2.codes.OK:
                    raise ApiError(answer.status_code, read_problem(answer.content))
                tokens = Tokens.model_validate_json(answer.content)
                current = current.model_copy(update=tokens.model_dump())
                self._file.write(current)
        request.headers["Authorization"] = f"Bearer {current.access_token}"
        yield request

    def _session(self) -> Session:
        session = self._file.read()
        if session is None:
            raise NotLoggedIn(self._server)
        return session

    def _renewal(self, session: Session) -> httpx2.Request:
        form = {"grant_type": "refresh_token", "refresh_token": session.refresh_token}
        return httpx2.Request("POST", f"{self._server}{TOKEN_PATH}", data=form)

from __future__ import annotations

from typing import Final

import httpx2
from pydantic import JsonValue

from partywall.client.api import Api
from partywall.client.errors import ApiError, ClientError, LoginFailed, NotLoggedIn
from partywall.client.store import Session, Store
from partywall.client.tokens import TokenAuth, Tokens

_EXAMPLE: Final = "it looks like http://localhost:8000"
_LAST_PORT: Final = 65535


def normalize(server: str) -> str:
    """`localhost:8000/` -> `http://localhost:8000`. Raises ClientError."""
    text = server.strip()
    if "@" in text:  # the message must not repeat the password
        raise ClientError(f"a server URL must not contain a user name or password: {_EXAMPLE}")
    try:
        url = httpx2.URL(text if "://" in text else f"http://{text}")
    except httpx2.InvalidURL as error:
        raise ClientError(f"{server!r} is not a server URL: {error}") from error
    if url.port is not None and not 0 < url.port <= _LAST_PORT:
        raise ClientError(f"{server!r} is not a server URL: the port must be from 1 to {_LAST_PORT}")
    if url.scheme not in ("http", "https") or not url.host or " " in text:
        raise ClientError(f"{server!r} is not a server URL: {_EXAMPLE}")
    root, api, _ = str(url).partition("/api/v1")
    if api:
        raise ClientError(f"{server!r} is the URL of the API, not of the server: use {root.rstrip('/')}")
    if url.query or url.fragment:
        raise ClientError(f"{server!r} is not a server URL: {_EXAMPLE}")
    return str(url).rstrip("/")


def register(server: str, email: str, password: str, full_name: str | None) -> None:
    body: dict[str, JsonValue] = {"email": email, "password": password}
    if full_name:
        body["full_name"] = full_name
    with Api(server) as api:
        api.post("/auth/register", body)


def log_in(store: Store, server: str, email: str, password: str) -> None:
    """Stores the tokens. Keeps the last project if the same account logs in again."""
    form = {"grant_type": "password", "username": email, "password": password}
    with Api(server) as api:
        try:
            tokens = Tokens.model_validate_json(api.submit("/auth/token", form))
        except ApiError as error:
            if error.error == "invalid_grant":
                raise LoginFailed from error
            raise
    file = store.session(server)
    with file.locked():
        before = file.read()
        project = before.project if before is not None and before.email == email else None
        file.write(Session(server=server, email=email, project=project, **tokens.model_dump()))
    store.remember_server(server)


def log_out(store: Store, server: str) -> bool:
    """Revokes the session on the server and deletes it here; returns False if there was none."""
    file = store.session(server)
    session = file.read()
    if session is None:
        return False
    with Api(server) as api:
        api.submit("/auth/revoke", {"token": session.refresh_token})
    file.forget()
    return True


def request_password_reset(server: str, email: str) -> None:
    with Api(server) as api:
        api.post("/auth/password/forgot", {"email": email})


def reset_password(server: str, token: str, new_password: str) -> None:
    with Api(server) as api:
        api.post("/auth/password/reset", {"token": token, "new_password": new_password})


def unlock(server: str, token: str) -> None:
    with Api(server) as api:
        api.post("/auth/unlock", {"token": token})


def change_password(store: Store, server: str, current_password: str, new_password: str) -> str:
    """Ends every session, also the stored one; returns the account's address. Raises NotLoggedIn."""
    file = store.session(server)
    session = file.read()
    if session is None:
        raise NotLoggedIn(server)
    with Api(server, TokenAuth(server, file)) as api:
        api.post("/auth/password/change", {"current_password": current_password, "new_password": new_password})
    return session.email

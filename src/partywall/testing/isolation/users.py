"""Accounts, memberships and credentials of the world."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from typing import Protocol
from uuid import UUID, uuid4

import orjson
from httpx2 import AsyncClient

from partywall.core.resources import Resources
from partywall.core.security.api_keys import new_key
from partywall.core.security.keys import SIGNING_KEYS, KeyRing
from partywall.core.security.revocation_check import RevocationCheck
from partywall.core.security.tokens import AccessTokens
from partywall.resources import ISSUER
from partywall.testing.isolation.callers import Account
from partywall.testing.isolation.database import Superuser


class Home(Protocol):
    """A project for which users can have keys."""

    @property
    def project(self) -> UUID: ...

    @property
    def owner(self) -> Account: ...


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def register(http: AsyncClient, superuser: Superuser, email: str, full_name: str) -> Account:
    """Registers and logs in through the API; the superuser confirms the address."""
    password = f"a sentence that nobody has guessed: {uuid4()}"
    asked = {"email": email, "password": password, "full_name": full_name}
    (await http.post("/api/v1/auth/register", json=asked)).raise_for_status()
    await superuser.execute("UPDATE account SET email_verified_at = now() WHERE email = $1", email)
    return await log_in(http, email, password)


async def log_in(http: AsyncClient, email: str, password: str) -> Account:
    form = {"grant_type": "password", "username": email, "password": password}
    answer = await http.post("/api/v1/auth/token", data=form)
    answer.raise_for_status()
    granted = answer.json()
    claims = orjson.loads(base64.urlsafe_b64decode(granted["access_token"].split(".")[1] + "=="))
    return Account(
        UUID(claims["sub"]), email, granted["access_token"], UUID(claims["sid"]), password, granted["refresh_token"]
    )


async def join(superuser: Superuser, project: UUID, account: Account, role: str) -> None:
    await superuser.execute(
        "INSERT INTO project_member (project_id, account_id, role) VALUES ($1, $2, $3)", project, account.id, role
    )


async def remove(superuser: Superuser, project: UUID, account: Account) -> None:
    await superuser.execute("DELETE FROM project_member WHERE project_id = $1 AND account_id = $2", project, account.id)


async def new_member(superuser: Superuser, project: str, role: str = "viewer") -> str:
    """An account that exists only for its membership; returns its id."""
    made = uuid4()
    email = f"{made.hex}@example.com"
    await superuser.execute("INSERT INTO account (id, email, email_verified_at) VALUES ($1, $2, now())", made, email)
    await superuser.execute(
        "INSERT INTO project_member (project_id, account_id, role) VALUES ($1, $2, $3)", UUID(project), made, role
    )
    return str(made)


async def unread_mail(superuser: Superuser, token: str) -> None:
    """A registration whose mail, with this token, was not opened."""
    made = uuid4()
    await superuser.execute("INSERT INTO account (id, email) VALUES ($1, $2)", made, f"{made.hex}@example.com")
    await superuser.execute(
        "INSERT INTO registration (id, account_id, token_hash, expires_at)"
        " VALUES (uuidv7(), $1, $2, now() + interval '1 day')",
        made, hashlib.sha256(token.encode()).digest(),
    )  # fmt: skip


async def account_token(superuser: Superuser, token: str, purpose: str) -> None:
    """An account to which this token was mailed, for one purpose."""
    made = uuid4()
    await superuser.execute("INSERT INTO account (id, email) VALUES ($1, $2)", made, f"{made.hex}@example.com")
    await superuser.execute(
        "INSERT INTO account_token (id, account_id, purpose, token_hash, expires_at)"
        " VALUES (uuidv7(), $1, $2, $3, now() + interval '1 hour')",
        made, purpose, hashlib.sha256(token.encode()).digest(),
    )  # fmt: skip


async def disable(superuser: Superuser, account: Account) -> None:
    await superuser.execute("UPDATE account SET disabled_at = now() WHERE id = $1", account.id)


async def revoked_session(http: AsyncClient, account: Account) -> str:
    """The access token of a second login that was revoked."""
    second = await log_in(http, account.email, account.password)
    (await http.post("/api/v1/auth/revoke", data={"token": second.refresh_token})).raise_for_status()
    return second.token


async def expired_token(resources: Resources, account: Account) -> str:
    """Signed with the right key, for the right session, but expired an hour ago."""
    keys = KeyRing(resources.sessions, resources.secrets.box(SIGNING_KEYS))
    issuer = AccessTokens(keys, ISSUER, -timedelta(hours=1), RevocationCheck(resources.sessions).is_not_revoked)
    return (await issuer.issue(account.id, account.session)).token


async def keys(superuser: Superuser, home: Home, foreign: Home) -> dict[str, str]:
    """The secrets by name: a key of HOME, and two of FOREIGN that were valid once."""
    return {
        "home": await key(superuser, home, "now() + interval '1 day'", "NULL"),
        "expired": await key(superuser, foreign, "now() - interval '1 minute'", "NULL"),
        "revoked": await key(superuser, foreign, "NULL", "now()"),
    }


async def key(superuser: Superuser, realm: Home, expires: str, revoked: str) -> str:
    made = new_key()
    await superuser.execute(
        "INSERT INTO api_key (project_id, name, prefix, secret_hash, role, created_by, expires_at, revoked_at)"  # noqa: S608 - the two expressions are constants of this file
        f" VALUES ($1, $2, $3, $4, 'editor', $5, {expires}, {revoked})",
        realm.project, "A key", made.prefix, made.secret_hash, f"user:{realm.owner.id}",
    )  # fmt: skip
    return made.secret


async def invitation(superuser: Superuser, project: UUID, inviter: UUID, email: str, token: str, expires: str) -> None:
    await superuser.execute(
        "INSERT INTO invitation (project_id, email, role, token_hash, invited_by, expires_at)"  # noqa: S608 - the expression is a constant of the caller
        f" VALUES ($1, $2, 'editor', $3, $4, {expires})",
        project, email, hashlib.sha256(token.encode()).digest(), f"user:{inviter}",
    )  # fmt: skip

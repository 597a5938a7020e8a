"""Values that the OpenAPI document does not define, each with its reason."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from pydantic import JsonValue

from partywall.testing.isolation import identities, seed, users
from partywall.testing.isolation.callers import Account
from partywall.testing.isolation.values import FAR
from partywall.testing.isolation.world import Realm, World

_NEW_PASSWORD: Final = "another sentence that nobody has guessed"

type MakeId = Callable[[World, Realm, Mapping[str, str]], Awaitable[str]]
type MakeQuery = Callable[[World, Realm], Awaitable[Query]]
type MakeFields = Callable[[World, Realm], Awaitable[dict[str, JsonValue]]]


@dataclass(frozen=True, slots=True)
class Query:
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)


async def _new_member(world: World, _: Realm, path: Mapping[str, str]) -> str:
    return await users.new_member(world.superuser, path["project_id"])


async def _new_session(world: World, realm: Realm, _: Mapping[str, str]) -> str:
    return str((await users.log_in(world.http, realm.owner.email, realm.owner.password)).session)


async def _new_delivery(world: World, _: Realm, path: Mapping[str, str]) -> str:
    return await seed.delivery(world.superuser, UUID(path["project_id"]), UUID(path["webhook_id"]))


async def _waiting_run(world: World, realm: Realm, path: Mapping[str, str]) -> str:
    state = FAR if realm is world.foreign else 0
    return await seed.waiting_run(world.superuser, UUID(path["project_id"]), realm.mark, state)


async def _ended_run(world: World, realm: Realm, path: Mapping[str, str]) -> str:
    run = await _waiting_run(world, realm, path)
    ended = "UPDATE run SET status = 'succeeded', pending = NULL, finished_at = now() WHERE project_id = $1 AND id = $2"
    await world.superuser.execute(ended, UUID(path["project_id"]), UUID(run))
    return run


async def _shown(world: World, realm: Realm, path: Mapping[str, str]) -> str:
    answer = await world.http.get(
        f"/api/v1/projects/{path['project_id']}/runs/{path['run_id']}", headers=users.bearer(realm.owner.token)
    )
    answer.raise_for_status()
    return str(answer.json()["pending"][0]["pending_id"])


async def _new_document(world: World, realm: Realm, path: Mapping[str, str]) -> str:
    answer = await world.http.post(
        f"/api/v1/projects/{path['project_id']}/documents",
        json={"title": realm.mark(), "content": realm.mark()},
        headers=users.bearer(realm.owner.token),
    )
    answer.raise_for_status()
    return str(answer.json()["id"])


async def _new_deletion(world: World, realm: Realm, path: Mapping[str, str]) -> str:
    answer = await world.http.post(
        f"/api/v1/projects/{path['project_id']}/documents/delete",
        json={"filter": {"field": "title", "op": "eq", "value": realm.mark()}},
        headers=users.bearer(realm.owner.token),
    )
    answer.raise_for_status()
    return str(answer.json()["id"])


async def _trashed_document(world: World, realm: Realm, path: Mapping[str, str]) -> str:
    document = await _new_document(world, realm, path)
    answer = await world.http.delete(
        f"/api/v1/projects/{path['project_id']}/documents/{document}", headers=users.bearer(realm.owner.token)
    )
    answer.raise_for_status()
    return document


async def _same_version(_: World, __: Realm, path: Mapping[str, str]) -> str:
    return path["number"]


async def _question(_: World, realm: Realm) -> dict[str, JsonValue]:
    return {"agent": "assistant", "input": {"question": realm.mark()}}


async def _list_tools(_: World, __: Realm) -> dict[str, JsonValue]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


async def _enabled(_: World, __: Realm) -> dict[str, JsonValue]:
    return {"enabled": True}


async def _address(_: World, realm: Realm) -> dict[str, JsonValue]:
    return {"url": f"http://127.0.0.1:1024/{realm.mark()}"}


async def _password_grant(_: World, realm: Realm) -> dict[str, JsonValue]:
    return {"grant_type": "password", "username": realm.owner.email, "password": realm.owner.password}


async def _open_invitation(world: World, realm: Realm) -> dict[str, JsonValue]:
    token = secrets.token_urlsafe(32)
    owner = await founder(world, realm)
    await users.invitation(
        world.superuser, owner.project, realm.owner.id, realm.users["viewer"].email, token, "now() + interval '1 day'"
    )
    return {"token": token}


async def _provider(_: World, __: Realm, ___: Mapping[str, str]) -> str:
    return identities.PROVIDER


async def _own_identity(world: World, realm: Realm, _: Mapping[str, str]) -> str:
    return await identities.linked(world.superuser, realm.owner.id)


async def _proof(world: World, realm: Realm) -> dict[str, JsonValue]:
    return await identities.proof(world.resources, realm.owner.email)


async def _login_start(_: World, realm: Realm) -> Query:
    return Query(identities.login_start(realm.mark()))


async def _login_answer(world: World, realm: Realm) -> Query:
    query, cookie = await identities.login_answer(world.resources, realm.mark())
    return Query(query, {"Cookie": cookie})


async def _unread_mail(world: World, _: Realm) -> dict[str, JsonValue]:
    token = secrets.token_urlsafe(32)
    await users.unread_mail(world.superuser, token)
    return {"token": token}


def _mailed_token(purpose: str, more: Mapping[str, JsonValue]) -> MakeFields:
    async def made(world: World, _: Realm) -> dict[str, JsonValue]:
        token = secrets.token_urlsafe(32)
        await users.account_token(world.superuser, token, purpose)
        return {"token": token, **more}

    return made


async def _own_password(world: World, realm: Realm) -> dict[str, JsonValue]:
    """Of an account that exists only for this: a change ends its sessions."""
    made = await users.register(world.http, world.superuser, f"{realm.mark()}@example.com", realm.mark())
    realm.changing = made
    return {"current_password": made.password, "new_password": _NEW_PASSWORD}


def _changing(home: Realm) -> Account:
    return home.owner if home.changing is None else home.changing


@dataclass(frozen=True, slots=True)
class Founded:
    project: UUID


async def founder(world: World, realm: Realm) -> Founded:
    """A project whose only member is the realm's owner."""
    answer = await world.http.post(
        "/api/v1/projects", json={"name": realm.mark()}, headers=users.bearer(realm.owner.token)
    )
    answer.raise_for_status()
    return Founded(UUID(answer.json()["id"]))


# Parameters whose resource has no POST that returns an id.
IDS: Final[Mapping[str, MakeId]] = {
    # A member is added when somebody else accepts an invitation.
    "user_id": _new_member,
    # A session is created by a login; the first in the list would be the caller's own.
    "session_id": _new_session,
    # A provider comes from the settings.
    "provider": _provider,
    # An identity is linked with a code of a provider.
    "identity_id": _own_identity,
    # A worker makes a run wait for the decision that one route takes.
    "run_id": _waiting_run,
    # A worker creates a delivery for an event.
    "delivery_id": _new_delivery,
    # A deletion by filter begins at another path.
    "deletion_id": _new_deletion,
}

# The same for a single operation.
IDS_OF: Final[Mapping[tuple[str, str], MakeId]] = {
    # Only a finished run can be deleted.
    ("DELETE /api/v1/projects/{project_id}/runs/{run_id}", "run_id"): _ended_run,
    # Only a deleted document can be restored.
    ("POST /api/v1/projects/{project_id}/documents/{document_id}/restore", "document_id"): _trashed_document,
    # The second version of a comparison has no collection of its own.
    ("GET /api/v1/projects/{project_id}/documents/{document_id}/versions/{number}/diff/{other}", "other"): (
        _same_version
    ),
}

# The same for ids in a body; every project has one of these. A decision needs a call that the run shows.
NAMED: Final[Mapping[str, MakeId]] = {**IDS, "document_id": _new_document, "pending_id": _shown}

# Bodies with fields that depend on each other, by operation.
FIELDS: Final[Mapping[str, MakeFields]] = {
    # The required fields depend on the grant, and must be valid.
    "POST /api/v1/auth/token": _password_grant,
    # The input has the schema of the named agent.
    "POST /api/v1/projects/{project_id}/runs": _question,
    # The params depend on the method. The tools are attacked separately, as if each were a route.
    "POST /api/v1/projects/{project_id}/mcp": _list_tools,
    # As for the route.
    "POST /api/v1/projects/{project_id}/mcp/start_run": _question,
    # The code comes from a provider.
    "POST /api/v1/auth/oauth/token": _proof,
    "POST /api/v1/users/me/identities": _proof,
    # The token is in a mail that nobody has opened.
    "POST /api/v1/auth/email/verify": _unread_mail,
    # Likewise; a new password has more characters than a mark.
    "POST /api/v1/auth/password/reset": _mailed_token("reset_password", {"new_password": _NEW_PASSWORD}),
    "POST /api/v1/auth/unlock": _mailed_token("unlock", {}),
    # The current password must be right.
    "POST /api/v1/auth/password/change": _own_password,
    # The token is in a mail, and only its recipient may use it.
    "POST /api/v1/invitations/accept": _open_invitation,
    # Calls to the address must be allowed.
    "POST /api/v1/projects/{project_id}/webhooks": _address,
    # A disabled webhook delivers nothing again.
    "PATCH /api/v1/projects/{project_id}/webhooks/{webhook_id}": _enabled,
}

# Queries and headers that depend on each other, by operation.
QUERIES: Final[Mapping[str, MakeQuery]] = {
    # The return address is one of the settings, the challenge has a form of its own.
    "GET /api/v1/auth/oauth/{provider}/authorize": _login_start,
    # The provider's answer belongs to a login that has begun in the same browser.
    "GET /api/v1/auth/oauth/{provider}/callback": _login_answer,
}

# The caller of the well-formed request, if it is not the owner.
SPEAKERS: Final[Mapping[str, Callable[[Realm], Account]]] = {
    "POST /api/v1/invitations/accept": lambda home: home.users["viewer"],
    "POST /api/v1/auth/password/change": _changing,
}

# Positions where a valid secret works for any holder, as intended: (operation's path, name, only in FOREIGN).
POWERS: Final = frozenset(
    {
        ("POST /api/v1/auth/token", "refresh_token", False),
        ("POST /api/v1/auth/revoke", "token", False),
        ("GET /api/v1/projects/{project_id}/events", "ticket", True),
        ("GET /api/v1/projects/{project_id}/runs/{run_id}/events", "ticket", True),
    }
)

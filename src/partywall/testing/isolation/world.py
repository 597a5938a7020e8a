"""Two full projects in one deployment: HOME, whose users attack, and FOREIGN, which must not be affected."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from partywall.core.resources import Resources
from partywall.features.accounts import session_start
from partywall.features.identities import service as identity_service
from partywall.testing.engines import DatabaseUrls
from partywall.testing.isolation import identities, seed
from partywall.testing.isolation import users as users_module
from partywall.testing.isolation.bodies import SampleBodies
from partywall.testing.isolation.callers import Account, Caller, Standing
from partywall.testing.isolation.database import Belongings, Superuser, open_superuser
from partywall.testing.isolation.values import BAIT, GUARD, Kind, Value, mark

type Complete = Callable[[World], Awaitable[None]]

HOME_WORD: Final = "thuis"


class IncompleteWorldError(Exception):
    """A table of project data has no row of one of the two."""


@dataclass(slots=True)
class Realm:
    """A project with its users, and its known ids by the path that contains them.

    `changing` is the account that changes its password.
    """

    name: str
    project: UUID
    users: dict[str, Account]
    mark: Callable[[], str]
    documents: list[str]
    known: dict[str, str] = field(default_factory=dict)
    changing: Account | None = None

    @property
    def owner(self) -> Account:
        return self.users["owner"]

    @property
    def belongings(self) -> Belongings:
        return Belongings(self.project, tuple(each.id for each in self.users.values()), tuple({*self.documents}))


@dataclass(slots=True)
class World:
    resources: Resources
    superuser: Superuser
    http: AsyncClient
    home: Realm
    foreign: Realm
    callers: tuple[Caller, ...]
    values: list[Value]
    bodies: SampleBodies = field(default_factory=dict)

    @property
    def attackers(self) -> Belongings:
        """HOME, and the accounts of all callers outside FOREIGN."""
        theirs = self.foreign.belongings.accounts
        accounts = {each.account for each in self.callers if each.account is not None and each.account not in theirs}
        return Belongings(
            self.home.project, tuple({*self.home.belongings.accounts, *accounts}), tuple(self.home.documents)
        )

    def caller(self, name: str) -> Caller:
        return next(each for each in self.callers if each.name == name)

    async def ticket(self) -> str:
        """A new, unused ticket for FOREIGN's events."""
        answer = await self.http.post(
            f"/api/v1/projects/{self.foreign.project}/events/ticket",
            headers=users_module.bearer(self.foreign.owner.token),
        )
        answer.raise_for_status()
        return str(answer.json()["ticket"])

    async def check(self) -> None:
        """Raises IncompleteWorldError unless every table with a `project_id` holds rows of both projects."""
        for realm in (self.home, self.foreign):
            empty = [name for name, rows in (await self.superuser.counts(realm.project)).items() if not rows]
            if empty:
                raise IncompleteWorldError(f"{realm.name} has no row in {', '.join(empty)}: World must create one")


@asynccontextmanager
async def open_world(
    app: FastAPI, urls: DatabaseUrls, *, bodies: SampleBodies | None = None, complete: Complete | None = None
) -> AsyncIterator[World]:
    """Builds both projects through the API; the superuser adds what has no route, and `complete` the rest."""
    resources: Resources = app.state.resources
    transport = ASGITransport(app)
    with pytest.MonkeyPatch.context() as patch:
        # Every attempt that needs a session logs in again, which must not end the owners' sessions.
        patch.setattr(session_start, "MAX_SESSIONS", 1_000_000)
        patch.setattr(identity_service, "MAX_IDENTITIES", 1_000_000)
        async with _seeded(transport, urls, resources) as world:
            world.bodies = bodies or {}
            if complete is not None:
                await complete(world)
            await world.check()
            yield world


@asynccontextmanager
async def _seeded(transport: ASGITransport, urls: DatabaseUrls, resources: Resources) -> AsyncIterator[World]:
    async with (
        AsyncClient(transport=transport, base_url="http://partywall.test") as http,
        open_superuser(urls, resources.cache, resources.settings.blob_directory) as superuser,
    ):
        builder = _Builder(http, superuser, resources)
        home = await builder.realm("HOME", mark(HOME_WORD), mark(HOME_WORD), ("admin", "editor", "viewer"))
        foreign = await builder.realm("FOREIGN", mark(GUARD), mark(BAIT), ("admin", "editor", "viewer", "disabled"))
        await seed.index(resources, superuser)
        values = await builder.finish(home, foreign)
        callers = await builder.callers(home, foreign)
        yield World(resources, superuser, http, home, foreign, callers, values)


@dataclass(frozen=True, slots=True)
class _Builder:
    http: AsyncClient
    superuser: Superuser
    resources: Resources

    async def realm(
        self, name: str, guard: Callable[[], str], bait: Callable[[], str], others: tuple[str, ...]
    ) -> Realm:
        owner = await users_module.register(self.http, self.superuser, f"{bait()}@example.com", guard())
        project = await seed.project(self.http, owner, guard, bait)
        members = {"owner": owner}
        for role in others:
            members[role] = await users_module.register(self.http, self.superuser, f"{bait()}@example.com", guard())
            await users_module.join(self.superuser, project, members[role], "admin" if role == "disabled" else role)
        documents = await seed.documents(self.http, owner, project, guard, bait)
        return Realm(name, project, members, guard, documents)

    async def finish(self, home: Realm, foreign: Realm) -> list[Value]:
        """Creates what the routes cannot, and returns the values to try."""
        hooks: list[Value] = []
        run = identity = ""
        for realm, bait in ((home, mark(HOME_WORD)), (foreign, mark(BAIT))):
            await seed.dead_letter(self.superuser, realm.project)
            await seed.audit_trail(self.superuser, realm.project, realm.mark)
            await seed.indexing(self.superuser, realm.project, 1)
            await seed.vector_changes(self.superuser, realm.project)
            await seed.archive_entries(self.superuser, realm.project, realm.mark)
            await seed.deletion(self.superuser, realm.project)
            await seed.trash(self.superuser, realm.project, realm.mark, 1)
            run = await seed.waiting_run(self.superuser, realm.project, realm.mark)
            identity = await identities.linked(self.superuser, realm.owner.id)
            await seed.spending(self.superuser, realm.project)
            await seed.quotas(self.superuser, realm.project, realm.owner)
            hooks = await seed.webhook(self.http, self.superuser, realm.owner, realm.project, realm.mark, bait)
            # A webhook that the learner creates would have no delivery, and the same numbers as every new one.
            realm.known[f"/api/v1/projects/{realm.project}/webhooks/{{webhook_id}}"] = hooks[0].text
        await seed.far_numbers(self.superuser, foreign.project, foreign.documents[0])
        await self.http.post(
            f"/api/v1/projects/{foreign.project}/documents/{foreign.documents[0]}/reindex",
            headers=users_module.bearer(foreign.owner.token),
        )
        values = hooks + await seed.values(self.superuser, foreign.project, foreign.documents)
        for realm, bait in ((home, mark(HOME_WORD)), (foreign, mark(BAIT))):
            secrets = await seed.secrets(self.superuser, realm.project, realm.owner, realm.mark, bait)
            if realm is foreign:
                values += secrets
        return [*values, Value(Kind.ID, "a run", run), Value(Kind.ID, "the owner's identity", identity), *_of(foreign)]

    async def callers(self, home: Realm, foreign: Realm) -> tuple[Caller, ...]:
        ours, theirs = home.users, foreign.users
        outsider, removed = [
            await users_module.register(self.http, self.superuser, f"{mark(HOME_WORD)()}@example.com", name)
            for name in ("A stranger", "Gone")
        ]
        await users_module.join(self.superuser, foreign.project, removed, "admin")
        await users_module.remove(self.superuser, foreign.project, removed)
        keys = await users_module.keys(self.superuser, home, foreign)
        revoked = await users_module.revoked_session(self.http, theirs["admin"])
        await users_module.disable(self.superuser, theirs["disabled"])
        expired = await users_module.expired_token(self.resources, theirs["editor"])
        return (
            Caller("anonymous", Standing.NOBODY, None),
            Caller("expired access token of a member", Standing.NOBODY, expired),
            Caller("revoked session of a member", Standing.NOBODY, revoked),
            Caller("disabled member", Standing.NOBODY, theirs["disabled"].token),
            Caller("expired key of the project", Standing.NOBODY, keys["expired"]),
            Caller("revoked key of the project", Standing.NOBODY, keys["revoked"]),
            Caller("stranger", Standing.OUTSIDER, outsider.token, outsider.id),
            Caller("removed member", Standing.OUTSIDER, removed.token, removed.id),
            Caller("owner of the other project", Standing.MEMBER, ours["owner"].token, ours["owner"].id),
            Caller("editor of the other project", Standing.MEMBER, ours["editor"].token, ours["editor"].id),
            Caller("viewer of the other project", Standing.MEMBER, ours["viewer"].token, ours["viewer"].id),
            Caller("key of the other project", Standing.MEMBER, keys["home"]),
            Caller("viewer", Standing.READER, theirs["viewer"].token, theirs["viewer"].id),
        )


def _of(realm: Realm) -> list[Value]:
    """The values of its users."""
    owner, editor = realm.owner, realm.users["editor"]
    return [
        Value(Kind.ID, "the owner's id", str(owner.id)),
        Value(Kind.ID, "the owner's session", str(owner.session)),
        Value(Kind.ID, "the editor's id", str(editor.id)),
        Value(Kind.EMAIL, "the owner's address", owner.email),
        Value(Kind.EMAIL, "the editor's address", editor.email),
        Value(Kind.SECRET, "the owner's access token", owner.token, live=True),
        Value(Kind.TICKET, "a ticket", "", live=True),
    ]

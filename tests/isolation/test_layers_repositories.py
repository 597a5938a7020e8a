"""A scope forged with a project that its principal may not enter: the database returns no row and accepts none.

Every public method of every repository that takes a scope, so that a new one without an entry here is noticed.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

import asyncpg
import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, NoResultFound

from partywall import features
from partywall.core import tenancy
from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncSession
from partywall.core.events.batches import WireEvent
from partywall.core.ids import new_id
from partywall.core.security.api_keys import new_key
from partywall.core.tenancy import Principal, ProjectScope, Role
from partywall.features.documents.merging import Wanted
from partywall.features.documents.repository import DocumentChange, DocumentRepository
from partywall.features.search.chunk_repository import NewChunk
from partywall.features.search.index_repository import KnownIndex
from partywall.features.search.repository import Corpus, ServingIndex
from partywall.features.webhooks.repository import Decided
from partywall.features.webhooks.retrying import Outcome
from partywall.settings import Settings
from tests.engines import DatabaseUrls, Urls
from tests.isolation import rows
from tests.isolation.agent_calls import AGENT_CALLS, HARMLESS, STARTED
from tests.isolation.copies import Copy, open_copy
from tests.isolation.rooms import RETIRED, Room, furnish
from tests.isolation.unfiltered import filters_taken_away

type Repository = Any  # one class or another, found by its module
type Call = Callable[[Repository, Room], Awaitable[object]]

NUMBERS: Final = list(range(1, 50))  # of chunks, as an identity column counts them in a new database
VECTOR: Final = "[" + ",".join(["0.1"] * 256) + "]"
VECTORS: Final = [VECTOR] * len(NUMBERS)


def known(room: Room) -> KnownIndex:
    return KnownIndex(UUID(room.ids["search_index_id"]), "a model", 256, "active", approximate=False)


def retired(room: Room) -> KnownIndex:
    return KnownIndex(uuid5(room.project, "retired"), "an old model", 256, "retired", approximate=False)


def serving(room: Room) -> ServingIndex:
    return ServingIndex(UUID(room.ids["search_index_id"]), "a model", 256, approximate=True)


def corpus(room: Room) -> Corpus:
    return Corpus(chunks=2, terms=20, configurations=["english"], index=serving(room))


def in_an_hour() -> datetime:
    return utc_now() + timedelta(hours=1)


def retitled() -> DocumentChange:
    wanted = Wanted("taken", "", None, "draft", {})
    return DocumentChange(wanted, {"title"}, digest=None, version=None, awaits_index=False)


def decided() -> Decided:
    return Decided("https://example.com/", None, None, enabled=True)


def chunk(room: Room) -> NewChunk:
    return NewChunk(room.document, 0, 4, "english", "title", "text")


def key(room: Room) -> UUID:
    return UUID(room.ids["key_id"])


def invitation(room: Room) -> UUID:
    return UUID(room.ids["invitation_id"])


def webhook(room: Room) -> UUID:
    return UUID(room.ids["webhook_id"])


async def _summaries(repository: DocumentRepository, room: Room) -> object:
    return orjson.loads(await repository.summaries([room.document]))


# When the deliveries were found due, and what came of it.
DUE: Final = datetime(2026, 1, 1, tzinfo=UTC)
REFUSED: Final = Outcome(500, "no")
PAGE: Final = ("created_at", 10, 0, None)
CALLS: Final[Mapping[str, Call]] = {
    "ApiKeyRepository.count": lambda r, _: r.count(),
    "ApiKeyRepository.page": lambda r, _: r.page(*PAGE),
    "ApiKeyWriter.add": lambda r, _: r.add(new_key(), "a key", "admin", None),
    "ApiKeyWriter.revoke": lambda r, room: r.revoke(key(room)),
    "DocumentRepository.content": lambda r, room: r.content(room.document),
    "DocumentRepository.lock": lambda r, room: r.lock(room.document),
    "DocumentRepository.lock_to_delete": lambda r, room: r.lock_to_delete(room.document),
    "DocumentRepository.shown": lambda r, room: r.shown(room.document),
    "DocumentRepository.summaries": _summaries,
    "DocumentRepository.existing": lambda r, room: r.existing([room.document]),
    "DocumentRepository.version": lambda r, room: r.version(room.document, 1),
    "DocumentRepository.used": lambda r, room: r.used([room.blob]),
    "DocumentWriter.write": lambda r, room: r.write(room.document, retitled()),
    "DocumentWriter.add_version": lambda r, room: r.add_version(room.document),
    "DocumentWriter.await_index": lambda r, room: r.await_index([room.document]),
    "DocumentWriter.await_index_of": lambda r, _: r.await_index_of(None, None, UUID(int=0), 10),
    "DocumentWriter.delete": lambda r, room: r.delete(room.document),
    "IndexReader.indexes": lambda r, _: r.indexes(),
    "IndexReader.without_vector": lambda r, room: r.without_vector(retired(room), 0, 10),
    "IndexReader.without_vector_of": lambda r, room: r.without_vector_of(
        replace(retired(room), dimension=384), [room.document], 0, 10
    ),
    "IndexWriter.activate": lambda r, room: r.activate(known(room)),
    "ChunkWriter.add": lambda r, room: r.add([chunk(room)], None, [known(room).id], large=False),
    "IndexWriter.add_vectors": lambda r, room: r.add_vectors(retired(room), NUMBERS, VECTORS, approximate=False),
    "IndexWriter.clear": lambda r, room: r.clear(retired(room).id, 10),
    "IndexWriter.lock_for_change": lambda r, _: r.lock_for_change(),
    "IndexWriter.lock_indexes": lambda r, _: r.lock_indexes(),
    "IndexWriter.open": lambda r, _: r.open("another model", 256, "building"),
    "ChunkWriter.remember": lambda r, _: r.remember(["german"]),
    "ChunkWriter.remove": lambda r, room: r.remove([room.document]),
    "IndexWriter.retire": lambda r, room: r.retire(known(room)),
    "IndexWriter.size": lambda r, _: r.size(),
    "IndexingRepository.keep": lambda r, room: r.keep(room.project, [room.document], timedelta(hours=1)),
    "IndexingRepository.release": lambda r, room: r.release(
        room.project, [room.document], timedelta(hours=1), counted=True
    ),
    "IndexingRepository.settle": lambda r, room: r.settle(
        room.project, [(room.document, 2, None, "failed", "no reason", 7)]
    ),
    "InvitationRepository.count": lambda r, _: r.count(),
    "InvitationRepository.get": lambda r, room: r.get(invitation(room)),
    "InvitationRepository.has_address": lambda r, _: r.has_address("x@example.com"),
    "InvitationRepository.page": lambda r, _: r.page(*PAGE),
    "InvitationRepository.project_name": lambda r, _: r.project_name(),
    "InvitationWriter.add": lambda r, room: r.add(new_id(), "y@example.com", Role.OWNER, b"hash", in_an_hour()),
    "InvitationWriter.remove": lambda r, room: r.remove(invitation(room)),
    "InvitationWriter.withdraw": lambda r, room: r.withdraw(room.owner.principal, [Role.VIEWER]),
    "MemberRepository.count": lambda r, _: r.count(),
    "MemberRepository.get": lambda r, room: r.get(room.owner.id),
    "MemberRepository.has_address": lambda r, room: r.has_address(room.owner.email),
    "MemberRepository.lock_project": lambda r, _: r.lock_project(),
    "MemberRepository.owners": lambda r, _: r.owners(),
    "MemberRepository.page": lambda r, _: r.page(*PAGE),
    "MemberWriter.change": lambda r, room: r.change(room.owner.id, Role.VIEWER),
    "MemberWriter.remove": lambda r, room: r.remove(room.owner.id),
    "ProjectRepository.get": lambda r, _: r.get(),
    "ProjectRepository.lock": lambda r, _: r.lock(to_delete=True),
    "ProjectWriter.describe": lambda r, _: r.describe("taken", None),
    "ProjectWriter.delete": lambda r, _: r.delete(),
    "UsageRepository.usage": lambda r, _: r.usage(),
    "SearchRepository.by_text": lambda r, room: r.by_text(corpus(room), room.word, 10, None),
    "SearchRepository.by_vector": lambda r, room: r.by_vector(serving(room), VECTOR, 10, None, approximate=False),
    "StagedReader.places": lambda r, room: r.places(room.document, 1),
    "StagedWriter.remove": lambda r, room: r.remove(room.document, 1, 10),
    "StagedWriter.switch": lambda r, room: r.switch(room.document, 1),
    "StagedWriter.sweep": lambda r, room: r.sweep(room.document, None, 10),
    "DeliveryRepository.count": lambda r, room: r.count(webhook(room), None),
    "DeliveryRepository.get": lambda r, room: r.get(webhook(room), UUID(room.ids["delivery_id"])),
    "DeliveryRepository.oldest_event": lambda r, _: r.oldest_event(),
    "DeliveryRepository.page": lambda r, room: r.page(webhook(room), None, *PAGE),
    "DeliveryWriter.ask_again": lambda r, room: r.ask_again(UUID(room.ids["delivery_id"])),
    "TurnRepository.fan_out": lambda r, room: r.fan_out(
        webhook(room), [WireEvent(1_000, "a.b", "", b"")], 1_000, timedelta(hours=1)
    ),
    "TurnRepository.finish": lambda r, room: r.finish(UUID(room.ids["delivery_id"]), DUE, "failed", REFUSED),
    "TurnRepository.lock": lambda r, room: r.lock(webhook(room)),
    "TurnRepository.note_failure": lambda r, room: r.note_failure(webhook(room), utc_now(), None, "gone"),
    "TurnRepository.note_success": lambda r, room: r.note_success(webhook(room)),
    "TurnRepository.postpone": lambda r, room: r.postpone(
        UUID(room.ids["delivery_id"]), DUE, timedelta(hours=1), REFUSED
    ),
    "TurnRepository.stay_due": lambda r, room: r.stay_due(UUID(room.ids["delivery_id"]), REFUSED),
    "VectorPromoter.finish": lambda r, room: r.finish(known(room)),
    "VectorPromoter.promote": lambda r, room: r.promote(known(room), 0, 10),
    "WebhookRepository.count": lambda r, _: r.count(),
    "WebhookRepository.get": lambda r, room: r.get(webhook(room)),
    "WebhookRepository.lock": lambda r, room: r.lock(webhook(room)),
    "WebhookRepository.page": lambda r, _: r.page(*PAGE),
    "WebhookWriter.add": lambda r, _: r.add("https://example.com/", None, None, b"sealed"),
    "WebhookWriter.decide": lambda r, room: r.decide(webhook(room), decided()),
    "WebhookWriter.remove": lambda r, room: r.remove(webhook(room)),
    "WebhookWriter.resume": lambda r, room: r.resume(webhook(room)),
    "WebhookWriter.rotate": lambda r, room: r.rotate(webhook(room), b"sealed", in_an_hour()),
    "WebhookWriter.start_afresh": lambda r, room: r.start_afresh(webhook(room), enabled=True),
    "SearchRepository.shown": lambda r, room: r.shown(NUMBERS, room.word),
    **AGENT_CALLS,
}
# What is asked of the shared index as a whole: how many vectors it has, whosesoever they are.
OF_ALL_PROJECTS: Final = {"SearchRepository.indexed_rows"}


def repositories() -> Iterator[type[Repository]]:
    """Every class of a repository module that is built with a scope."""
    for module in pkgutil.walk_packages(features.__path__, "partywall.features."):
        if module.name.endswith("repository"):
            for _, found in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
                if found.__module__ == module.name and "scope" in inspect.signature(found).parameters:
                    yield found


def methods() -> dict[str, type[Repository]]:
    return {
        f"{found.__name__}.{name}": found
        for found in repositories()
        for name, _ in inspect.getmembers(found, inspect.iscoroutinefunction)
        if not name.startswith("_")
    }


def test_every_method_of_every_repository_has_an_entry() -> None:
    assert set(CALLS) | OF_ALL_PROJECTS | HARMLESS == set(methods())


STAGED: Final = """
    UPDATE chunk SET staged_for = 1 WHERE number = (
        SELECT max(number) FROM chunk WHERE (project_id, document_id) = ($1, $2)
    )
"""
LEASED: Final = """
    INSERT INTO indexing_attempt (project_id, document_id, revision, attempts, due_at, lease)
    VALUES ($1, $2, 1, 1, now(), $1) ON CONFLICT (project_id, document_id) DO UPDATE SET lease = excluded.lease
"""
SENDING: Final = "UPDATE webhook_delivery SET status = 'pending', next_attempt_at = $2 WHERE project_id = $1"
SENT: Final = "UPDATE invitation SET email = 'x@example.com', invited_by = $2, role = 'viewer' WHERE project_id = $1"


@dataclass(frozen=True, slots=True)
class House:
    copy: Copy
    mine: Room
    foreign: Room
    before: Mapping[str, str]

    async def checksums(self) -> dict[str, str]:
        connection = await asyncpg.connect(DatabaseUrls.dsn(self.copy.database.superuser))
        try:
            return await rows.checksums(connection, self.foreign.project)
        finally:
            await connection.close()


@pytest.fixture(scope="module")
async def house(engines: Urls, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    directory = tmp_path_factory.mktemp("repositories")
    async with open_copy(engines, settings, "repositories", directory) as copy:
        mine, foreign = [
            await furnish(copy.people, copy.resources, copy.database, word) for word in ("amber", "bittern")
        ]
        for room in (mine, foreign):
            await copy.people.execute(RETIRED, room.project, retired(room).id)
            await copy.people.execute(SENDING, room.project, DUE)
            await copy.people.execute(LEASED, room.project, room.document)
            await copy.people.execute(STAGED, room.project, room.document)
            await copy.people.execute(STARTED, room.project, UUID(room.ids["run_id"]))
            await copy.people.execute(SENT, room.project, str(room.owner.principal))
        made = House(copy, mine, foreign, {})
        yield House(copy, mine, foreign, await made.checksums())


def forged(house: House, principal: Principal) -> ProjectScope:
    """By the module's own seal: no code of the program can do this, and no type checker sees it."""
    return ProjectScope(house.foreign.project, principal, Role.OWNER, tenancy._SEAL)


@asynccontextmanager
async def entered(house: House, how: str) -> AsyncIterator[tuple[AsyncSession, ProjectScope]]:
    """A transaction that commits, bound to nothing, to a project of one's own, or to the one that is refused."""
    principal = house.mine.owner.principal
    project = {"own": house.mine.project, "refused": house.foreign.project, "service": house.foreign.project}
    if how == "service":
        principal = Principal.service(house.mine.project)
    async with house.copy.resources.sessions.begin() as session:
        if how != "nothing":
            values = {"principal": str(principal), "project": project[how]}
            role = await session.scalar(text("SELECT wall.enter(:principal, :project)"), values)
            assert (role is None) == (how != "own")
        yield session, forged(house, principal)


async def outcome(house: House, how: str, method: str) -> object:
    """What came of it; None where it was refused."""
    try:
        async with entered(house, how) as (session, scope):
            return await CALLS[method](methods()[method](session, scope), house.foreign)
    except NoResultFound:
        return None
    except DBAPIError as error:
        if "row-level security" not in str(error):
            raise
        return None


@pytest.mark.parametrize("how", ["nothing", "own", "refused", "service"])
async def test_a_forged_scope_gets_nothing_and_leaves_nothing(house: House, how: str) -> None:
    for method in CALLS:
        assert not await outcome(house, how, method), (method, how)
    assert await house.checksums() == house.before


async def test_it_is_the_database_that_refuses_them(house: House) -> None:
    """The counter-test: where no policy stands, the forged scope opens the other project."""
    await house.copy.row_security("DISABLE")
    try:
        assert house.foreign.word in str(await outcome(house, "nothing", "DocumentRepository.summaries"))
    finally:
        await house.copy.row_security("ENABLE")


async def test_a_repository_without_its_filter_gets_nothing_and_leaves_nothing(house: House) -> None:
    """Each in a new and empty project of its caller's own, entered by right: whatever is found is another's."""
    people = [await house.copy.people.person() for _ in CALLS]
    homes = [(person, await person.project()) for person in people]
    async with filters_taken_away(house.copy) as statements:
        for method, (person, project) in zip(CALLS, homes, strict=True):
            try:
                async with house.copy.resources.sessions.begin() as session:
                    scope = await tenancy.enter_project(session, person.principal, project)
                    found = await CALLS[method](methods()[method](session, scope), house.foreign)
            except (NoResultFound, DBAPIError):
                continue
            shown = shape(found)
            assert not [secret for secret in house.foreign.secrets() if secret in shown], (method, shown)
    assert len(statements) > 20
    assert await house.checksums() == house.before


def shape(found: object) -> str:
    """All that a row, or a list of them, holds."""
    rows_ = found if isinstance(found, list | tuple | set) else [found]
    return str([vars(row) if hasattr(row, "__dict__") else row for row in rows_])


async def test_the_same_calls_work_by_right(house: House) -> None:
    """The control: what was refused above is there for its owner, or is changed by it."""
    assert {method for method in CALLS if not await works(house, method)} == set()


async def works(house: House, method: str) -> bool:
    """In a transaction that is undone."""
    done = False
    try:
        async with house.copy.resources.sessions.begin() as session:
            scope = await tenancy.enter_project(session, house.foreign.owner.principal, house.foreign.project)
            found = await CALLS[method](methods()[method](session, scope), house.foreign)
            wrote = await session.scalar(text("SELECT pg_current_xact_id_if_assigned() IS NOT NULL"))
            done = bool(found) or bool(wrote)
            raise _UndoneError
    except _UndoneError:
        return done
    except IntegrityError:
        return True  # in conflict with a row that is there


class _UndoneError(Exception):
    pass

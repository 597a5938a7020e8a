"""A forged scope for a project that its principal may not enter: the database returns no row and accepts none.

Covers every public method of every repository that takes a scope; a new one without an entry fails a test.
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
from partywall.core.db import scopes
from partywall.core.db.session import AsyncSession
from partywall.core.events.batches import WireEvent
from partywall.core.ids import new_id
from partywall.core.security.api_keys import new_key
from partywall.core.tenancy import ExclusiveScope, Principal, ProjectScope, Role
from partywall.features.documents.patch import DocumentFields
from partywall.features.documents.repository import DocumentChange, DocumentRepository
from partywall.features.search.chunk_repository import NewChunk
from partywall.features.search.computed_vectors import ComputedVectors
from partywall.features.search.index_repository import KnownIndex
from partywall.features.search.repository import Corpus, ServingIndex
from partywall.features.webhooks.repository import WebhookOptions
from partywall.features.webhooks.retry_policy import Outcome
from partywall.settings import Settings
from partywall.testing.engines import DatabaseUrls, Urls
from partywall.testing.isolation import rows
from tests.isolation.agent_calls import AGENT_CALLS, HARMLESS, STARTED
from tests.isolation.app_copies import Copy, open_copy
from tests.isolation.entry_calls import ENTRY, ENTRY_CALLS
from tests.isolation.file_calls import FILE_CALLS, TRASHED, UNREAD, trashed, unread
from tests.isolation.seeded_project import RETIRED, SeededProject, seed
from tests.isolation.unfiltered import filters_taken_away

type Repository = Any  # the classes differ by module
type Call = Callable[[Repository, SeededProject], Awaitable[object]]

NUMBERS: Final = list(range(1, 50))  # of chunks, as an identity column counts them in a new database
VECTOR: Final = "[" + ",".join(["0.1"] * 256) + "]"
VECTORS: Final = [VECTOR] * len(NUMBERS)


def known(seeded_project: SeededProject) -> KnownIndex:
    return KnownIndex(UUID(seeded_project.ids["search_index_id"]), "a model", 256, "active", approximate=False)


def retired(seeded_project: SeededProject) -> KnownIndex:
    return KnownIndex(uuid5(seeded_project.project, "retired"), "an old model", 256, "retired", approximate=False)


def serving(seeded_project: SeededProject) -> ServingIndex:
    return ServingIndex(UUID(seeded_project.ids["search_index_id"]), "a model", 256, approximate=True)


def corpus(seeded_project: SeededProject) -> Corpus:
    return Corpus(chunks=2, terms=20, configurations=["english"], index=serving(seeded_project))


def in_an_hour() -> datetime:
    return utc_now() + timedelta(hours=1)


def retitled() -> DocumentChange:
    wanted = DocumentFields("taken", "", None, "draft", {})
    return DocumentChange(wanted, {"title"}, digest=None, version=None, awaits_index=False)


def decided() -> WebhookOptions:
    return WebhookOptions("https://example.com/", None, None, enabled=True)


def chunk(seeded_project: SeededProject) -> NewChunk:
    return NewChunk(seeded_project.document, 0, 4, "english", "title", "text")


def key(seeded_project: SeededProject) -> UUID:
    return UUID(seeded_project.ids["key_id"])


def invitation(seeded_project: SeededProject) -> UUID:
    return UUID(seeded_project.ids["invitation_id"])


def webhook(seeded_project: SeededProject) -> UUID:
    return UUID(seeded_project.ids["webhook_id"])


async def _summaries(repository: DocumentRepository, seeded_project: SeededProject) -> object:
    return orjson.loads(await repository.summaries([seeded_project.document]))


# When the deliveries were found due, and their results.
DUE: Final = datetime(2026, 1, 1, tzinfo=UTC)
REFUSED: Final = Outcome(500, "no")
PAGE: Final = ("created_at", 10, 0, None)
CALLS: Final[Mapping[str, Call]] = {
    "ApiKeyRepository.count": lambda r, _: r.count(),
    "ApiKeyRepository.page": lambda r, _: r.page(*PAGE),
    "ApiKeyWriter.add": lambda r, _: r.add(new_key(), "a key", "admin", None),
    "ApiKeyWriter.revoke": lambda r, seeded_project: r.revoke(key(seeded_project)),
    "DocumentRepository.content": lambda r, seeded_project: r.content(seeded_project.document),
    "DocumentWriter.lock": lambda r, seeded_project: r.lock(seeded_project.document),
    "DocumentWriter.hold_equal_file": lambda r, seeded_project: r.hold_equal_file(seeded_project.blob[:64]),
    "DocumentWriter.lock_to_delete": lambda r, seeded_project: r.lock_to_delete(seeded_project.document),
    "DocumentRepository.shown": lambda r, seeded_project: r.shown(seeded_project.document),
    "DocumentRepository.summaries": _summaries,
    "DocumentRepository.existing": lambda r, seeded_project: r.existing([seeded_project.document]),
    "DocumentRepository.version": lambda r, seeded_project: r.version(seeded_project.document, 1),
    "DocumentRepository.used": lambda r, seeded_project: r.used([seeded_project.blob]),
    "DocumentWriter.write": lambda r, seeded_project: r.write(seeded_project.document, retitled()),
    "DocumentWriter.add_version": lambda r, seeded_project: r.add_version(seeded_project.document),
    "DocumentWriter.await_index": lambda r, seeded_project: r.await_index([seeded_project.document]),
    "DocumentWriter.await_index_of": lambda r, _: r.await_index_of(None, None, UUID(int=0), 10),
    "FaultReader.after": lambda r, seeded_project: r.after(known(seeded_project), 0, 10),
    "FaultReader.of_documents": lambda r, seeded_project: r.of_documents(
        known(seeded_project), [seeded_project.document]
    ),
    "IndexReader.indexes": lambda r, _: r.indexes(),
    "IndexReader.documents_without_vector": lambda r, seeded_project: r.documents_without_vector(
        replace(retired(seeded_project), dimension=384), [seeded_project.document], 0
    ),
    "IndexReader.without_vector": lambda r, seeded_project: r.without_vector(retired(seeded_project), 0, 10),
    "IndexReader.without_vector_of": lambda r, seeded_project: r.without_vector_of(
        replace(retired(seeded_project), dimension=384), [seeded_project.document], 0, 10
    ),
    "IndexWriter.activate": lambda r, seeded_project: r.activate(known(seeded_project)),
    "ChunkWriter.add": lambda r, seeded_project: r.add(
        [chunk(seeded_project)], None, [known(seeded_project).id], large=False
    ),
    "IndexWriter.add_vectors": lambda r, seeded_project: r.add_vectors(
        retired(seeded_project), ComputedVectors(NUMBERS, VECTORS), approximate=False
    ),
    "IndexWriter.clear": lambda r, seeded_project: r.clear(retired(seeded_project).id, 10),
    "IndexWriter.lock_for_change": lambda r, _: r.lock_for_change(),
    "IndexWriter.lock_indexes": lambda r, _: r.lock_indexes(),
    "IndexWriter.open": lambda r, _: r.open("another model", 256, "building"),
    "ChunkWriter.remember": lambda r, _: r.remember(["german"]),
    "ChunkWriter.remove": lambda r, seeded_project: r.remove([seeded_project.document]),
    "IndexWriter.retire": lambda r, seeded_project: r.retire(known(seeded_project)),
    "IndexWriter.size": lambda r, _: r.size(),
    "IndexingRepository.explain": lambda r, seeded_project: r.explain(
        seeded_project.project, [seeded_project.document], "the server is away"
    ),
    "IndexingRepository.await_vectors": lambda r, seeded_project: r.await_vectors([seeded_project.document], "a note"),
    "IndexingRepository.keep": lambda r, seeded_project: r.keep(
        seeded_project.project, [seeded_project.document], timedelta(hours=1)
    ),
    "IndexingRepository.release": lambda r, seeded_project: r.release(
        seeded_project.project, [seeded_project.document], timedelta(hours=1), counted=True
    ),
    "IndexingRepository.settle": lambda r, seeded_project: r.settle(
        seeded_project.project, [(seeded_project.document, 2, None, "failed", "no reason", 7)]
    ),
    "InvitationRepository.count": lambda r, _: r.count(),
    "InvitationRepository.get": lambda r, seeded_project: r.get(invitation(seeded_project)),
    "InvitationRepository.has_address": lambda r, _: r.has_address("x@example.com"),
    "InvitationRepository.page": lambda r, _: r.page(*PAGE),
    "InvitationRepository.project_name": lambda r, _: r.project_name(),
    "InvitationWriter.add": lambda r, seeded_project: r.add(
        new_id(), "y@example.com", Role.OWNER, b"hash", in_an_hour()
    ),
    "InvitationWriter.remove": lambda r, seeded_project: r.remove(invitation(seeded_project)),
    "InvitationWriter.withdraw": lambda r, seeded_project: r.withdraw(seeded_project.owner.principal, [Role.VIEWER]),
    "MemberRepository.count": lambda r, _: r.count(),
    "MemberRepository.get": lambda r, seeded_project: r.get(seeded_project.owner.id),
    "MemberRepository.has_address": lambda r, seeded_project: r.has_address(seeded_project.owner.email),
    "MemberRepository.owners": lambda r, _: r.owners(),
    "MemberRepository.page": lambda r, _: r.page(*PAGE),
    "MemberWriter.change": lambda r, seeded_project: r.change(seeded_project.owner.id, Role.VIEWER),
    "MemberWriter.remove": lambda r, seeded_project: r.remove(seeded_project.owner.id),
    "ProjectRepository.get": lambda r, _: r.get(),
    "ProjectWriter.describe": lambda r, _: r.describe("taken", None, keep_description=False),
    "ProjectWriter.delete": lambda r, _: r.delete(),
    "UsageRepository.usage": lambda r, _: r.usage(),
    "SearchRepository.by_text": lambda r, seeded_project: r.by_text(
        corpus(seeded_project), seeded_project.word, 10, None
    ),
    "SearchRepository.by_vector": lambda r, seeded_project: r.by_vector(
        serving(seeded_project), VECTOR, 10, None, approximate=False
    ),
    "StagedReader.places": lambda r, seeded_project: r.places(seeded_project.document, 1),
    "StagedWriter.remove": lambda r, seeded_project: r.remove(seeded_project.document, 1, 10),
    "StagedWriter.switch": lambda r, seeded_project: r.switch(seeded_project.document, 1),
    "StagedWriter.sweep": lambda r, seeded_project: r.sweep(seeded_project.document, None, 10),
    "DeliveryRepository.count": lambda r, seeded_project: r.count(webhook(seeded_project), None),
    "DeliveryRepository.get": lambda r, seeded_project: r.get(
        webhook(seeded_project), UUID(seeded_project.ids["delivery_id"])
    ),
    "DeliveryRepository.oldest_event": lambda r, _: r.oldest_event(),
    "DeliveryRepository.page": lambda r, seeded_project: r.page(webhook(seeded_project), None, *PAGE),
    "DeliveryWriter.ask_again": lambda r, seeded_project: r.ask_again(UUID(seeded_project.ids["delivery_id"])),
    "DeliverySessionRepository.fan_out": lambda r, seeded_project: r.fan_out(
        webhook(seeded_project), [WireEvent(1_000, "a.b", "", b"")], 1_000, timedelta(hours=1)
    ),
    "DeliverySessionRepository.finish": lambda r, seeded_project: r.finish(
        UUID(seeded_project.ids["delivery_id"]), DUE, "failed", REFUSED
    ),
    "DeliverySessionRepository.lock": lambda r, seeded_project: r.lock(webhook(seeded_project)),
    "DeliverySessionRepository.note_failure": lambda r, seeded_project: r.note_failure(
        webhook(seeded_project), utc_now(), None, "gone"
    ),
    "DeliverySessionRepository.note_success": lambda r, seeded_project: r.note_success(webhook(seeded_project)),
    "DeliverySessionRepository.postpone": lambda r, seeded_project: r.postpone(
        UUID(seeded_project.ids["delivery_id"]), DUE, timedelta(hours=1), REFUSED
    ),
    "DeliverySessionRepository.keep_due": lambda r, seeded_project: r.keep_due(
        UUID(seeded_project.ids["delivery_id"]), REFUSED
    ),
    "VectorPromoter.finish": lambda r, seeded_project: r.finish(known(seeded_project)),
    "VectorPromoter.promote": lambda r, seeded_project: r.promote(known(seeded_project), 0, 10),
    "WebhookRepository.count": lambda r, _: r.count(),
    "WebhookRepository.get": lambda r, seeded_project: r.get(webhook(seeded_project)),
    "WebhookWriter.lock": lambda r, seeded_project: r.lock(webhook(seeded_project)),
    "WebhookRepository.page": lambda r, _: r.page(*PAGE),
    "WebhookWriter.add": lambda r, _: r.add("https://example.com/", None, None, b"sealed"),
    "WebhookWriter.decide": lambda r, seeded_project: r.decide(webhook(seeded_project), decided()),
    "WebhookWriter.remove": lambda r, seeded_project: r.remove(webhook(seeded_project)),
    "WebhookWriter.resume": lambda r, seeded_project: r.resume(webhook(seeded_project)),
    "WebhookWriter.rotate": lambda r, seeded_project: r.rotate(webhook(seeded_project), b"sealed", in_an_hour()),
    "WebhookWriter.start_afresh": lambda r, seeded_project: r.start_afresh(webhook(seeded_project), enabled=True),
    "SearchRepository.shown": lambda r, seeded_project: r.shown(NUMBERS, seeded_project.word),
    **AGENT_CALLS,
    **FILE_CALLS,
    **ENTRY_CALLS,
}
# A query about the whole shared index: how many vectors it has, for all projects.
OF_ALL_PROJECTS: Final = {"SearchRepository.indexed_rows"}
# True if no visible chunk lacks a vector; it has the same query as `without_vector`.
YES_OR_NO: Final = {"IndexReader.is_whole"}


def repositories() -> Iterator[type[Repository]]:
    """Every class in a repository module that takes a scope."""
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
    assert set(CALLS) | OF_ALL_PROJECTS | YES_OR_NO | HARMLESS == set(methods())


STAGED: Final = """
    UPDATE chunk SET staged_for = 1 WHERE number = (
        SELECT max(number) FROM chunk WHERE (project_id, document_id) = ($1, $2)
    )
"""
LEASED: Final = """
    WITH waiting AS (
        UPDATE document SET index_status = 'pending', index_error = 'waits for its vectors'
        WHERE (project_id, id) = ($1, $2)
    )
    INSERT INTO indexing_attempt (project_id, document_id, revision, attempts, due_at, lease, words)
    VALUES ($1, $2, 1, 1, now(), $1, true)
    ON CONFLICT (project_id, document_id) DO UPDATE SET lease = excluded.lease, words = excluded.words
"""
FAULTY: Final = """
    WITH another AS (
        INSERT INTO chunk (project_id, document_id, first, last, length, configuration, context, text)
        SELECT project_id, document_id, first, last, length, configuration, context, text
        FROM chunk WHERE (project_id, document_id) = ($1, $2) LIMIT 1 RETURNING number
    )
    INSERT INTO embedding_256 (project_id, index_id, chunk, approximate, embedding, fault, fault_message)
    SELECT $1, e.index_id, another.number, false, e.embedding, 'refused', 'no'
    FROM another CROSS JOIN (
        SELECT index_id, embedding FROM embedding_256 JOIN search_index AS i ON i.id = index_id
        WHERE embedding_256.project_id = $1 AND i.status = 'active' LIMIT 1
    ) AS e
"""
SENDING: Final = "UPDATE webhook_delivery SET status = 'pending', next_attempt_at = $2 WHERE project_id = $1"
SENT: Final = "UPDATE invitation SET email = 'x@example.com', invited_by = $2, role = 'viewer' WHERE project_id = $1"


@dataclass(frozen=True, slots=True)
class AttackedCopy:
    copy: Copy
    mine: SeededProject
    foreign: SeededProject
    before: Mapping[str, str]

    async def checksums(self) -> dict[str, str]:
        connection = await asyncpg.connect(DatabaseUrls.dsn(self.copy.database.superuser))
        try:
            return await rows.checksums(connection, self.foreign.project)
        finally:
            await connection.close()


@pytest.fixture(scope="module")
async def attacked_copy(
    engines: Urls, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[AttackedCopy]:
    directory = tmp_path_factory.mktemp("repositories")
    async with open_copy(engines, settings, "repositories", directory) as copy:
        mine, foreign = [await seed(copy.users, copy.resources, copy.database, word) for word in ("amber", "bittern")]
        for seeded_project in (mine, foreign):
            await copy.users.execute(RETIRED, seeded_project.project, retired(seeded_project).id)
            await copy.users.execute(SENDING, seeded_project.project, DUE)
            await copy.users.execute(LEASED, seeded_project.project, seeded_project.document)
            await copy.users.execute(STAGED, seeded_project.project, seeded_project.document)
            await copy.users.execute(FAULTY, seeded_project.project, seeded_project.document)
            await copy.users.execute(UNREAD, seeded_project.project, unread(seeded_project))
            await copy.users.execute(TRASHED, seeded_project.project, trashed(seeded_project))
            of_archive = (seeded_project.document, unread(seeded_project), "taken")
            await copy.users.execute(ENTRY, seeded_project.project, *of_archive)
            await copy.users.execute(STARTED, seeded_project.project, UUID(seeded_project.ids["run_id"]))
            await copy.users.execute(SENT, seeded_project.project, str(seeded_project.owner.principal))
        made = AttackedCopy(copy, mine, foreign, {})
        yield AttackedCopy(copy, mine, foreign, await made.checksums())


def forged(attacked_copy: AttackedCopy, principal: Principal) -> ExclusiveScope:
    """Made with the module's own seal: application code cannot do this, and a type checker does not see it."""
    return ExclusiveScope(attacked_copy.foreign.project, principal, Role.OWNER, tenancy._SEAL)


@asynccontextmanager
async def entered(attacked_copy: AttackedCopy, how: str) -> AsyncIterator[tuple[AsyncSession, ProjectScope]]:
    """A transaction that commits, bound to nothing, to the caller's own project, or to the refused one."""
    principal = attacked_copy.mine.owner.principal
    project = {
        "own": attacked_copy.mine.project,
        "refused": attacked_copy.foreign.project,
        "service": attacked_copy.foreign.project,
    }
    if how == "service":
        principal = Principal.service(attacked_copy.mine.project)
    async with attacked_copy.copy.resources.sessions.begin() as session:
        if how != "nothing":
            values = {"principal": str(principal), "project": project[how]}
            role = await session.scalar(text("SELECT wall.open_scope(:principal, :project)"), values)
            assert (role is None) == (how != "own")
        yield session, forged(attacked_copy, principal)


async def outcome(attacked_copy: AttackedCopy, how: str, method: str) -> object:
    """The result; None if it was refused."""
    try:
        async with entered(attacked_copy, how) as (session, scope):
            return await CALLS[method](methods()[method](session, scope), attacked_copy.foreign)
    except NoResultFound:
        return None
    except DBAPIError as error:
        if "row-level security" not in str(error):
            raise
        return None


@pytest.mark.parametrize("how", ["nothing", "own", "refused", "service"])
async def test_a_forged_scope_gets_nothing_and_leaves_nothing(attacked_copy: AttackedCopy, how: str) -> None:
    for method in CALLS:
        assert not await outcome(attacked_copy, how, method), (method, how)
    assert await attacked_copy.checksums() == attacked_copy.before


async def test_it_is_the_database_that_refuses_them(attacked_copy: AttackedCopy) -> None:
    """The counter-test: without policies the forged scope opens the other project."""
    await attacked_copy.copy.row_security("DISABLE")
    try:
        assert attacked_copy.foreign.word in str(
            await outcome(attacked_copy, "nothing", "DocumentRepository.summaries")
        )
    finally:
        await attacked_copy.copy.row_security("ENABLE")


async def test_a_repository_without_its_filter_gets_nothing_and_leaves_nothing(attacked_copy: AttackedCopy) -> None:
    """Each in a new, empty project of the caller, with a valid scope: any row found belongs to another project."""
    users = [await attacked_copy.copy.users.person() for _ in CALLS]
    homes = [(person, await person.project()) for person in users]
    async with filters_taken_away(attacked_copy.copy) as statements:
        for method, (person, project) in zip(CALLS, homes, strict=True):
            try:
                async with attacked_copy.copy.resources.sessions.begin() as session:
                    scope = await scopes.open_scope(session, person.principal, project)
                    found = await CALLS[method](methods()[method](session, scope), attacked_copy.foreign)
            except (NoResultFound, DBAPIError):
                continue
            shown = shape(found)
            assert not [secret for secret in attacked_copy.foreign.secrets() if secret in shown], (method, shown)
    assert len(statements) > 20
    assert await attacked_copy.checksums() == attacked_copy.before


def shape(found: object) -> str:
    """Describes the values in a row or a list of rows."""
    rows_ = found if isinstance(found, list | tuple | set) else [found]
    return str([vars(row) if hasattr(row, "__dict__") else row for row in rows_])


async def test_the_same_calls_work_by_right(attacked_copy: AttackedCopy) -> None:
    """The control: the owner can read or change what was refused above."""
    assert {method for method in CALLS if not await works(attacked_copy, method)} == set()


async def works(attacked_copy: AttackedCopy, method: str) -> bool:
    """In a transaction that is rolled back."""
    done = False
    try:
        async with attacked_copy.copy.resources.sessions.begin() as session:
            scope = await scopes.open_scope(
                session, attacked_copy.foreign.owner.principal, attacked_copy.foreign.project
            )
            found = await CALLS[method](methods()[method](session, scope), attacked_copy.foreign)
            wrote = await session.scalar(text("SELECT pg_current_xact_id_if_assigned() IS NOT NULL"))
            done = bool(found) or bool(wrote)
            raise _UndoneError
    except _UndoneError:
        return done
    except IntegrityError:
        return True  # a conflict with an existing row


class _UndoneError(Exception):
    pass

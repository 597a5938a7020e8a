"""A forged scope for a project that its principal may not enter: the database returns no row and accepts none.

Covers every public method of every repository that takes a scope; one that `repository_calls` lacks fails a test.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, NoResultFound

from partywall import features
from partywall.core import tenancy
from partywall.core.db import scopes
from partywall.core.db.session import AsyncSession
from partywall.core.tenancy import ExclusiveScope, Principal, ProjectScope, Role
from partywall.settings import Settings
from partywall.testing.engines import DatabaseUrls, Urls
from partywall.testing.isolation import rows
from tests.isolation.agent_calls import HARMLESS, STARTED
from tests.isolation.app_copies import Copy, open_copy
from tests.isolation.entry_calls import ENTRY
from tests.isolation.file_calls import UNREAD, unread
from tests.isolation.repository_calls import CALLS, DUE, Repository, retired
from tests.isolation.seeded_project import RETIRED, SeededProject, seed
from tests.isolation.unfiltered import filters_taken_away

# A query about the whole shared index: how many vectors it has, for all projects.
OF_ALL_PROJECTS: Final = {"SearchRepository.indexed_rows"}
# True if no visible chunk lacks a vector; it has the same query as `without_vector`.
YES_OR_NO: Final = {"IndexReader.is_whole"}
# Names those of the given numbers that the caller has nothing of.
NOT_THERE: Final = {"HeldVectors.unknown"}
# Changes a setting, and reads no table.
NO_TABLE: Final = {"SearchRepository.plan_for_this_project"}


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
    assert set(CALLS) | OF_ALL_PROJECTS | YES_OR_NO | NOT_THERE | NO_TABLE | HARMLESS == set(methods())


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
        INSERT INTO chunk (
            project_id, document_id, first, last, length, configuration, context, text, text_hash, passage_hash,
            begins
        )
        SELECT project_id, document_id, first, last, length, configuration, context, text, 7, passage_hash, true
        FROM chunk WHERE (project_id, document_id) = ($1, $2) LIMIT 1 RETURNING number
    )
    INSERT INTO embedding (project_id, index_id, chunk, dimension, approximate, embedding, fault, fault_message)
    SELECT $1, e.index_id, another.number, 256, false, e.embedding, 'refused', 'no'
    FROM another CROSS JOIN (
        SELECT index_id, embedding FROM embedding JOIN search_index AS i ON i.id = index_id
        WHERE embedding.project_id = $1 AND i.status = 'active' LIMIT 1
    ) AS e
"""
EXTERNAL: Final = "UPDATE embedding SET external = true WHERE project_id = $1"
SETTLED: Final = "DELETE FROM vector_change WHERE project_id = $1 AND index_id <> $2"
NOTED: Final = "UPDATE vector_change SET due_at = $2 WHERE project_id = $1"
BEGUN: Final = "UPDATE document_deletion SET created_by = 'user:somebody' WHERE project_id = $1"
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
            await copy.users.execute(BEGUN, seeded_project.project)
            await copy.users.execute(LEASED, seeded_project.project, seeded_project.document)
            await copy.users.execute(STAGED, seeded_project.project, seeded_project.document)
            await copy.users.execute(FAULTY, seeded_project.project, seeded_project.document)
            await copy.users.execute(EXTERNAL, seeded_project.project)
            await copy.users.execute(SETTLED, seeded_project.project, retired(seeded_project).id)
            await copy.users.execute(NOTED, seeded_project.project, DUE)
            await copy.users.execute(UNREAD, seeded_project.project, unread(seeded_project))
            for document in (seeded_project.document, seeded_project.trashed):
                of_archive = (document, unread(seeded_project), "taken")
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

"""The attack or the `test_beyond_routes_*` tests find every planted fault in a copy of the application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import pytest

from partywall.core.resources import Resources
from partywall.testing.engines import DatabaseUrls, Urls, new_database
from partywall.testing.isolation.app import open_app, settings_for_attack
from partywall.testing.isolation.suite import Report, attack
from partywall.testing.isolation.world import World, open_world
from partywall.testing.users import Users
from tests.isolation import faults_access as access
from tests.isolation import faults_answers as answers
from tests.isolation import faults_other
from tests.isolation import test_beyond_routes_jobs as jobs
from tests.isolation import test_beyond_routes_search as searching
from tests.isolation import test_beyond_routes_sessions as sessions
from tests.isolation import test_beyond_routes_streams as streams
from tests.isolation.faults import AttackedApp, Fault
from tests.isolation.plain_logs import plain_logs


@dataclass(frozen=True, slots=True)
class Planted:
    """Attacks `operations`; the findings must contain `tells`; `values` restricts the values to try."""

    fault: Fault
    operations: Sequence[str]
    tells: str
    values: Sequence[str] = ()

    @property
    def name(self) -> str:
        return self.fault.__name__


DOCUMENTS = ("a document", "an uploaded document")
PLANTED = [
    Planted(access.a_repository_method_without_its_filter, ["get_document"], "answered 200", DOCUMENTS),
    Planted(access.a_policy_beside_the_wall_that_lets_all_through, ["list_documents"], "which is FOREIGN's"),
    Planted(access.a_scope_made_without_asking, ["get_project"], "answered 200"),
    Planted(access.a_new_route_without_the_scope_dependency, ["glance"], "answered 200"),
    Planted(access.a_new_route_without_authentication, ["glance"], "as anonymous"),
    Planted(answers.a_cache_key_without_its_project, ["get_document"], "answered 200", DOCUMENTS),
    Planted(answers.a_cursor_that_trusts_its_content, ["list_documents"], "but for a nonexistent value: 422"),
    Planted(
        answers.idempotency_records_without_principal_and_project,
        ["create_document"], "idempotency_key_reused", ["an idempotency key"],
    ),
    Planted(
        answers.an_external_id_that_is_unique_in_the_whole_deployment,
        ["create_document"], "external_id_taken", ["an external id"],
    ),
    Planted(answers.a_403_for_what_exists_elsewhere, ["get_project"], "answered 403"),
    Planted(answers.a_304_before_the_scope, ["get_document"], "answered 304"),
    Planted(
        answers.an_error_text_that_quotes_the_other_projects_row, ["get_document"], "which is FOREIGN's: 404", DOCUMENTS
    ),
    Planted(access.a_key_resolver_that_ignores_revocation_and_expiry, ["get_project"], "key of the project"),
    Planted(access.a_role_remembered_from_before_it_was_lowered, ["update_document"], "as viewer, in FOREIGN"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with plain_logs():
        yield


@dataclass(frozen=True, slots=True)
class Copy:
    attacked_app_copy: AttackedApp
    database: DatabaseUrls

    @property
    def users(self) -> Users:
        return Users(self.attacked_app_copy.app, self.attacked_app_copy.resources, self.database)


@pytest.fixture(scope="module")
async def copy(engines: Urls, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Copy]:
    """One copy of the application for all faults, each of which is removed again."""
    database = await new_database(engines, "faults")
    async with AsyncExitStack() as stack:
        settings = settings_for_attack(
            database, engines.cache, tmp_path_factory.mktemp("faults"), agents=["tests.features.runs.assistant"]
        )
        app = await stack.enter_async_context(open_app(settings))
        world = await stack.enter_async_context(open_world(app, database))
        resources: Resources = app.state.resources
        yield Copy(AttackedApp(app, resources, world), database)


def narrowed(world: World, planted: Planted) -> World:
    values = [each for each in world.values if each.name in planted.values]
    assert len(values) == len(planted.values)
    return replace(world, values=values) if values else world


async def attacked(copy: Copy, planted: Planted) -> Report:
    async with planted.fault(copy.attacked_app_copy) as app:
        return await attack(
            app, narrowed(copy.attacked_app_copy.world, planted), only=lambda each: each.id in planted.operations
        )


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
async def test_the_attack_finds(copy: Copy, planted: Planted) -> None:
    report = await attacked(copy, planted)
    assert report.unexercised == [], "the fault prevents the attack"
    assert any(planted.tells in str(leak) for leak in report.leaks), str(report)


async def test_the_attack_finds_nothing_where_no_fault_is(copy: Copy) -> None:
    """The same copy and operations, after all faults have been removed."""
    concerned = {name for planted in PLANTED for name in planted.operations}
    report = await attack(
        copy.attacked_app_copy.app, copy.attacked_app_copy.world, only=lambda each: each.id in concerned
    )
    assert report.leaks == [], str(report)
    assert report.exercised == concerned - {"glance"}


async def test_streams_find_a_channel_without_its_project(copy: Copy) -> None:
    async with copy.users as users:
        assert await streams.overheard(users, copy.attacked_app_copy.resources) == []
        async with faults_other.a_channel_without_its_project(copy.attacked_app_copy):
            assert any("heard" in each for each in await streams.overheard(users, copy.attacked_app_copy.resources))
        assert await streams.overheard(users, copy.attacked_app_copy.resources) == []


async def test_revoked_sessions_find_a_stream_that_forgets_its_own(copy: Copy) -> None:
    async with copy.users as users, faults_other.a_stream_that_forgets_its_session(copy.attacked_app_copy):
        assert await sessions.outlived(users, copy.attacked_app_copy.resources) == [
            "a stream that was catching up",
            "a ticket",
        ]


async def test_scores_find_statistics_over_all_projects(copy: Copy) -> None:
    async with copy.users as users, faults_other.search_statistics_over_all_projects(copy.attacked_app_copy):
        assert "beside the neighbour" in await searching.moved(users, copy.attacked_app_copy.resources)


async def test_forged_jobs_find_one_that_trusts_its_payload(copy: Copy) -> None:
    async with copy.users as users:
        two_projects = await jobs.seed_two_projects(users, copy.attacked_app_copy.resources, copy.database)
        assert await jobs.obeyed(two_projects, "release_blobs") == []
        async with faults_other.a_job_that_trusts_its_payload(copy.attacked_app_copy):
            assert await jobs.obeyed(two_projects, "release_blobs")

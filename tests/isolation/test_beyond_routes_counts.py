"""No count crosses the wall: FOREIGN grows, and every answer to HOME stays the same to the last byte."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from fastapi import FastAPI

from partywall.core.resources import Resources
from partywall.testing.engines import DatabaseUrls, Urls, new_database
from partywall.testing.isolation import seed
from partywall.testing.isolation.app import open_app, settings_for_attack
from partywall.testing.isolation.surface import read_surface
from partywall.testing.isolation.world import World, open_world
from tests.isolation import faults_counts, faults_other
from tests.isolation.counts import MORE, Answers, Question, ask, grow, is_asked, listed, moved, questions, total
from tests.isolation.faults import AttackedApp, Fault

# By the operation that reveals it.
PLANTED: Mapping[Fault, str] = {
    faults_counts.keys_counted_over_all_projects: "list_api_keys",
    faults_counts.members_counted_over_all_projects: "list_members",
    faults_counts.invitations_counted_over_all_projects: "list_invitations",
    faults_counts.projects_counted_in_the_whole_deployment: "list_projects",
    faults_counts.documents_found_by_a_filter_counted_over_all_projects: "list_documents",
    faults_counts.statistics_of_all_documents: "get_document_stats",
    faults_counts.a_new_route_that_tells_how_busy_the_deployment_is: "glance",
    faults_other.search_statistics_over_all_projects: "search_documents",
}
# A project has one of these, whatever its size, or one a month.
ONE_OF_EACH = {"event_counter", "search_index", "search_statistic", "agent_budget", "agent_usage",
               "project_usage", "project_quota"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """The answers before and after FOREIGN grew."""

    before: Answers
    after: Answers


@dataclass(frozen=True, slots=True)
class Survey:
    app: FastAPI
    asked: list[Question]
    home: Told
    again: Answers  # to HOME, before any change
    foreign: Told
    rows: Mapping[str, tuple[int, int]]
    planted: Mapping[Fault, Told]


@pytest.fixture(scope="module")
async def survey(engines: Urls, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Survey]:
    """All questions, with and without each fault, before and after one growth on a separate copy."""
    urls = await new_database(engines, "counts")
    async with AsyncExitStack() as stack:
        settings = settings_for_attack(urls, engines.cache, tmp_path_factory.mktemp("counts"))
        app = await stack.enter_async_context(open_app(settings))
        world = await stack.enter_async_context(open_world(app, urls))
        yield await _survey(app, world, urls)


async def _survey(app: FastAPI, world: World, urls: DatabaseUrls) -> Survey:
    resources: Resources = app.state.resources
    at, home, foreign = AttackedApp(app, resources, world), world.home, world.foreign
    asked, theirs = await questions(app, world, home), await questions(app, world, foreign)
    await seed.index(resources, world.superuser)  # what was created to be found

    before, again = await ask(app, asked, home), await ask(app, asked, home)
    their_before, rows = await ask(app, theirs, foreign), await world.superuser.counts(foreign.project)
    planted = {fault: await _ask_under(at, fault) for fault in PLANTED}
    await grow(app, world, urls)
    after, their_after = await ask(app, asked, home), await ask(app, theirs, foreign)
    now = await world.superuser.counts(foreign.project)
    return Survey(
        app, asked, Told(before, after), again, Told(their_before, their_after),
        {name: (was, now[name]) for name, was in rows.items()},
        {fault: Told(told, await _ask_under(at, fault)) for fault, told in planted.items()},
    )  # fmt: skip


async def _ask_under(at: AttackedApp, fault: Fault) -> Answers:
    async with fault(at) as app:
        return await ask(app, await questions(app, at.world, at.world.home, PLANTED[fault]), at.world.home)


def test_every_operation_that_reads_is_asked(survey: Survey) -> None:
    reading = {each.id for each in read_surface(survey.app.openapi()) if is_asked(each)}
    assert {each.call.operation.id for each in survey.asked} == reading
    counted = {each.call.operation.id for each in survey.asked if ("offset", "0") in each.choices}
    assert counted == {each.id for each in read_surface(survey.app.openapi()) if "offset" in each.query}
    modes = {dict(each.choices).get("mode") for each in survey.asked}
    assert {"text", "vector", "hybrid"} <= modes


def test_home_has_something_of_everything(survey: Survey) -> None:
    """An empty list would stay empty for other reasons."""
    for each in survey.asked:
        answer = survey.home.before[str(each)]
        narrowed = {name for name, _ in each.choices} - {"offset", "limit", "mode", "group", "sort", "q_title"}
        if listed(answer) is not None and not narrowed:
            assert listed(answer), each
    stream = next(body for name, body in survey.home.before.items() if name.endswith("{project_id}/events after=0"))
    assert stream.body.count(b"event: ") > 5


def test_foreign_has_grown_in_everything(survey: Survey) -> None:
    """According to the superuser's counts and to FOREIGN's owner."""
    kept = {name for name, (was, now) in survey.rows.items() if now < was + MORE}
    assert kept <= ONE_OF_EACH, "`grow` must create more"
    for name, answer in survey.foreign.before.items():
        was, now = total(answer), total(survey.foreign.after[name])
        if name.split()[2:] == ["offset=0"]:
            assert was is not None, name
            assert now is not None, name
            assert now >= was + MORE, name


def test_no_answer_has_moved(survey: Survey) -> None:
    assert moved(survey.home.before, survey.again) == [], "changes without growth, so it proves nothing"
    assert moved(survey.home.before, survey.home.after) == []


@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: fault.__name__)
def test_what_counts_across_the_wall_is_found(survey: Survey, fault: Fault) -> None:
    told = survey.planted[fault]
    assert moved(told.before, told.after), f"none of {len(told.before)} answers changed"

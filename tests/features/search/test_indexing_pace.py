"""Batches of a project rest while its documents wait for a short time; the report says how far indexing is behind."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from partywall.core.clock import unix_time
from partywall.features.documents.index_queue import ClaimedDocument
from partywall.features.search.indexing_pace import LONGEST_REST, OLD, REST, RESTING, IndexingPace

PROJECT, OTHER = uuid4(), uuid4()


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def document(age: float, version: int = 1) -> ClaimedDocument:
    """A document that was created `age` seconds ago."""
    made = UUID(int=(int((unix_time() - age) * 1000) << 80) | (uuid4().int & ((1 << 80) - 1)))
    return ClaimedDocument(made, "A title", "Words.", "text/plain", version, {}, 6, 0, 1)


def test_a_project_rests_after_a_batch_and_has_one_at_once() -> None:
    clock = Clock()
    pace = IndexingPace(clock)
    assert not pace.rests(PROJECT)
    pace.began(PROJECT)
    assert pace.rests(PROJECT)
    assert not pace.rests(OTHER)
    assert pace.ended(PROJECT, [document(0.1)], 0.1) == pytest.approx(REST * 0.1)
    assert pace.rests(PROJECT)
    clock.now += REST * 0.1
    assert not pace.rests(PROJECT)


def test_a_rest_is_bounded() -> None:
    pace = IndexingPace(Clock())
    pace.began(PROJECT)
    assert pace.ended(PROJECT, [document(0)], 60.0) == LONGEST_REST


def test_a_project_that_is_behind_does_not_rest() -> None:
    pace = IndexingPace(Clock())
    pace.began(PROJECT)
    assert pace.ended(PROJECT, [document(RESTING + 1), document(0)], 0.1) == 0.0
    pace.began(PROJECT)
    assert not pace.rests(PROJECT)


def test_a_batch_that_found_nothing_is_not_rested_from() -> None:
    pace = IndexingPace(Clock())
    pace.began(PROJECT)
    assert pace.ended(PROJECT, [], 1.0) == 0.0
    assert not pace.rests(PROJECT)


def test_the_report_has_the_oldest_new_document_and_the_rate() -> None:
    clock = Clock()
    pace = IndexingPace(clock)
    for _ in range(4):
        pace.began(PROJECT)
        clock.now += 0.5
        pace.ended(PROJECT, [document(3), *(document(1) for _ in range(49))], 0.5)
    report = pace.report(PROJECT)
    assert report.rate == pytest.approx(100.0)
    assert report.delay == pytest.approx(3.0, abs=0.5)


@pytest.mark.parametrize("waiting", [document(OLD + 1), document(0, version=2)])
def test_documents_that_wait_for_another_reason_are_not_behind_and_not_rested_from(waiting: ClaimedDocument) -> None:
    pace = IndexingPace(Clock())
    pace.began(PROJECT)
    assert pace.ended(PROJECT, [waiting, document(0)], 0.1) == 0.0
    assert pace.report(PROJECT).delay < RESTING
    pace.began(PROJECT)
    assert not pace.rests(PROJECT)


def test_a_project_whose_batch_runs_for_long_is_not_forgotten() -> None:
    clock = Clock()
    pace = IndexingPace(clock)
    pace.began(PROJECT)
    clock.now += 10
    pace.began(OTHER)
    pace.ended(OTHER, [document(0)], 0.1)
    pace.ended(PROJECT, [document(5)], 10.0)
    assert pace.report(PROJECT).delay >= RESTING


def test_projects_without_a_recent_batch_are_forgotten() -> None:
    clock = Clock()
    pace = IndexingPace(clock)
    for project in (OTHER, PROJECT):
        pace.began(project)
        pace.ended(project, [document(0)], 0.1)
        clock.now += 10
    with pytest.raises(KeyError):
        pace.report(OTHER)

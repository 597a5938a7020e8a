"""Who has a turn when there are more who want one than there are places."""

from __future__ import annotations

from collections import Counter
from uuid import UUID, uuid4

from partywall.features.webhooks.places import Candidate, Places


def of(project: UUID, count: int) -> list[Candidate]:
    return [(project, uuid4()) for _ in range(count)]


def begun(places: Places) -> list[Candidate]:
    found = []
    while (candidate := places.begin()) is not None:
        found.append(candidate)
    return found


def test_one_project_alone_leaves_as_many_places_as_it_takes() -> None:
    for total, taken in ((1, 1), (2, 1), (3, 2), (50, 25)):
        places, wanted = Places(total), of(uuid4(), 60)
        places.wait(wanted)
        assert begun(places) == wanted[:taken]
        assert places.free == total - taken


def test_projects_that_want_everything_share_alike_and_leave_one_for_a_newcomer() -> None:
    places = Places(50)
    for project in (projects := [uuid4() for _ in range(7)]):
        places.wait(of(project, 10))
    shares = Counter(project for project, _ in begun(places))
    assert set(shares) == set(projects)
    assert max(shares.values()) - min(shares.values()) <= 1
    assert places.free >= 5
    places.wait(newcomer := of(uuid4(), 1))
    assert places.begin() == newcomer[0]


def test_the_place_that_becomes_free_goes_to_who_has_none_whoever_came_first() -> None:
    places, full = Places(3), [uuid4() for _ in range(3)]
    places.wait([candidate for project in full for candidate in of(project, 1)])
    assert len(begun(places)) == 3
    places.wait(of(full[0], 1))
    assert (places.crowded, places.begin()) == (False, None)
    places.wait(newcomers := of(uuid4(), 2))
    assert (places.crowded, places.begin()) == (True, None)
    places.end(full[0])
    assert places.crowded is False, "the one that is free is theirs already"
    assert begun(places) == newcomers[:1]
    assert places.crowded is True, "now the first has none"


def test_who_waits_in_vain_is_sent_away_and_of_who_has_nothing_the_first_stays() -> None:
    places, first, second = Places(1), uuid4(), uuid4()
    places.wait([*(mine := of(first, 3)), *(theirs := of(second, 3))])
    assert begun(places) == mine[:1]
    assert places.send_away() == [*mine[1:], *theirs[1:]]
    assert (places.waiting, places.crowded) == (1, True)
    assert places.send_away() == []
    places.end(first)
    assert begun(places) == theirs[:1]
    places.end(second)
    assert places.deserted


def test_who_is_claimed_once_more_waits_once() -> None:
    places, [candidate] = Places(1), of(uuid4(), 1)
    places.wait([candidate])
    places.wait([candidate])
    assert (places.waiting, places.clear(), places.deserted) == (1, [candidate], True)

"""Who has a turn when there are more who want one than there are places."""

from __future__ import annotations

from collections import Counter
from uuid import UUID, uuid4

from partywall.features.webhooks.places import Candidate, Places


def of(account: UUID, count: int, project: UUID | None = None) -> list[Candidate]:
    return [Candidate(account, project or account, uuid4()) for _ in range(count)]


def begun(places: Places) -> list[Candidate]:
    found = []
    while (candidate := places.begin()) is not None:
        found.append(candidate)
    return found


def test_one_account_alone_has_a_third() -> None:
    for total, taken in ((1, 1), (2, 1), (3, 1), (6, 2), (50, 16)):
        places, wanted = Places(total), of(uuid4(), 60)
        places.wait(wanted)
        assert begun(places) == wanted[:taken]
        assert places.free == total - taken


def test_projects_that_want_everything_share_alike_and_leave_one_for_a_newcomer() -> None:
    places = Places(50)
    for project in (projects := [uuid4() for _ in range(7)]):
        places.wait(of(project, 10))
    shares = Counter(candidate.account for candidate in begun(places))
    assert set(shares) == set(projects)
    assert max(shares.values()) - min(shares.values()) <= 1
    assert places.free >= 5
    places.wait(newcomer := of(uuid4(), 1))
    assert places.begin() == newcomer[0]


def test_the_place_that_becomes_free_goes_to_who_has_none_whoever_came_first() -> None:
    places, full = Places(3), [uuid4() for _ in range(3)]
    places.wait([candidate for project in full for candidate in of(project, 1)])
    taken = begun(places)
    assert [candidate.account for candidate in taken] == full
    places.wait(of(full[0], 1))
    assert (places.crowded, places.begin()) == (False, None)
    places.wait(newcomers := of(uuid4(), 2))
    assert (places.crowded, places.begin()) == (True, None)
    places.end(taken[0])
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
    places.end(mine[0])
    assert begun(places) == theirs[:1]
    places.end(theirs[0])
    assert places.deserted


def test_who_is_claimed_once_more_waits_once() -> None:
    places, [candidate] = Places(1), of(uuid4(), 1)
    places.wait([candidate])
    places.wait([candidate])
    assert (places.waiting, places.clear(), places.deserted) == (1, [candidate], True)


def test_the_projects_of_one_account_share_its_third() -> None:
    places, account, projects = Places(12), uuid4(), [uuid4() for _ in range(2)]
    for project in projects:
        places.wait(of(account, 10, project))
    assert Counter(candidate.project for candidate in begun(places)) == dict.fromkeys(projects, 2)
    places.wait(others := [each for _ in range(6) for each in of(uuid4(), 1)])
    assert begun(places) == others

from __future__ import annotations

import httpx2
import pytest

from partywall.client.api import Api, RetryBudget
from partywall.client.errors import ApiError, ClientError, Unreachable
from partywall.client.projects import create_project, find_project, list_projects
from partywall.client.search import search
from partywall.client.tokens import TokenAuth
from partywall.testing.engines import Superuser
from tests.client.conftest import Person
from tests.client.proxy import Proxy
from tests.server import free_port


def through(person: Person, proxy: Proxy, seconds: float = 60.0) -> Api:
    return Api(proxy.url, TokenAuth(person.server, person.file), RetryBudget(seconds))


def test_a_creation_whose_answer_was_lost_happens_once(person: Person, proxy: Proxy) -> None:
    with through(person, proxy) as api:
        proxy.lose = 2
        made = create_project(api, "Once")
        assert [project.id for project in list_projects(api)] == [made.id]
    assert proxy.requests > 3


def test_a_busy_server_is_asked_again(person: Person, proxy: Proxy) -> None:
    waits: list[str] = []
    max_wait = RetryBudget(60.0, lambda why, _: waits.append(why))
    proxy.busy = 2
    with Api(proxy.url, TokenAuth(person.server, person.file), max_wait) as api:
        assert list_projects(api) == []
    assert len(waits) == 2


def test_max_wait_ends(person: Person) -> None:
    waits: list[float] = []
    max_wait = RetryBudget(0.5, lambda _, delay: waits.append(delay))
    with (
        Api(f"http://127.0.0.1:{free_port()}", TokenAuth(person.server, person.file), max_wait) as api,
        pytest.raises(Unreachable, match="cannot reach") as failure,
    ):
        list_projects(api)
    assert sum(waits) <= 0.5
    again = failure.value.__cause__
    assert again is not None
    assert isinstance(again.__cause__, httpx2.ConnectError)


def test_an_error_response_is_not_retried(person: Person, proxy: Proxy) -> None:
    with through(person, proxy) as api, pytest.raises(ApiError) as refusal:
        api.create("/projects", {"name": "", "color": {"red": 1}})
    assert refusal.value.status == 422
    assert "the project's name: " in str(refusal.value)
    assert "color: " in str(refusal.value)
    assert "/" not in str(refusal.value)
    assert proxy.requests == 1


def test_a_project_is_found_by_name_and_by_id(person: Person, api: Api) -> None:
    made = create_project(api, "Alpha")
    assert find_project(api, " Alpha ") == made
    assert find_project(api, made.id) == made
    assert find_project(api, "Beta") is None
    assert find_project(api, "01890000-0000-7000-8000-000000000000") is None


def test_a_name_that_two_projects_have_is_ambiguous(person: Person, api: Api) -> None:
    first, second = create_project(api, "Twin"), create_project(api, "Twin")
    with pytest.raises(Exception, match="2 projects") as refusal:
        find_project(api, "Twin")
    assert first.id in str(refusal.value)
    assert second.id in str(refusal.value)


@pytest.fixture
async def unlimited(person: Person, kept: Superuser) -> None:
    """The user may own any number of projects."""
    await kept.execute(
        "INSERT INTO account_quota (account_id, quota) SELECT id, 'projects' FROM account WHERE email = $1",
        person.email,
    )


@pytest.mark.usefixtures("unlimited")
def test_all_pages_of_projects_are_read(api: Api) -> None:
    names = [f"Project {number}" for number in range(103)]
    for name in names:
        create_project(api, name)
    assert [project.name for project in list_projects(api)] == names


@pytest.mark.parametrize(
    ("characters", "message"), [(1001, "at most 1000 characters"), (10_000, "at most 1000 characters")]
)
def test_a_query_that_is_too_long_is_refused_in_one_line(person: Person, characters: int, message: str) -> None:
    project = person.project()
    with person.api() as api, pytest.raises(ClientError, match=message):
        search(api, project, "\u6f22" * characters, limit=1, mode="text")


def test_a_server_without_tls_differs_from_an_unreachable_one(server: str) -> None:
    with (
        Api(server.replace("http://", "https://"), retry_budget=RetryBudget(0.0)) as api,
        pytest.raises(Unreachable, match="use http:// instead of https://"),
    ):
        api.get("/projects")

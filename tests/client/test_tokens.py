from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from partywall.client import accounts
from partywall.client.errors import ApiError, ClientError, NotLoggedIn
from partywall.client.projects import list_projects
from partywall.client.store import Session
from tests.client.conftest import PASSWORD, Person
from tests.client.proxy import Proxy


def stored(person: Person) -> Session:
    session = person.file.read()
    assert session is not None
    return session


def damage_access_token(person: Person) -> Session:
    session = stored(person).model_copy(update={"access_token": "expired"})
    person.file.write(session)
    return session


def test_a_refused_token_is_renewed_and_the_rotated_one_kept(person: Person) -> None:
    before = damage_access_token(person)
    with person.api() as api:
        assert list_projects(api) == []
    after = stored(person)
    assert after.refresh_token != before.refresh_token
    assert after.access_token != "expired"


def test_concurrent_commands_use_one_refresh_token(person: Person) -> None:
    damage_access_token(person)

    def ask(_: int) -> None:
        with person.api() as api:
            list_projects(api)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(16)))
    damage_access_token(person)
    with person.api() as api:
        list_projects(api)


def test_a_lost_refresh_response_is_requested_again(person: Person, proxy: Proxy) -> None:
    """The server has rotated the token, but its answer is lost; the token asks again and gets the same successor."""
    damaged = damage_access_token(person)
    moved = Person(proxy.url, person.email, person.store)
    moved.file.write(damaged.model_copy(update={"server": proxy.url}))
    proxy.lose = 2  # the refusal of the damaged token, then the renewal
    with moved.api() as api:
        assert list_projects(api) == []
    assert stored(moved).refresh_token != damaged.refresh_token


def test_a_revoked_session_says_to_log_in(person: Person) -> None:
    session = stored(person)
    accounts.log_out(person.store, person.server)
    person.file.write(session.model_copy(update={"access_token": "expired"}))
    with person.api() as api, pytest.raises(NotLoggedIn, match="partywall login"):
        list_projects(api)


def test_without_a_session_nothing_is_sent(person: Person, proxy: Proxy) -> None:
    outsider = Person(proxy.url, person.email, person.store)
    with outsider.api() as api, pytest.raises(NotLoggedIn):
        list_projects(api)
    assert proxy.requests == 0


def test_logging_out_ends_the_session_on_the_server(person: Person) -> None:
    refresh_token = stored(person).refresh_token
    assert accounts.log_out(person.store, person.server)
    assert not accounts.log_out(person.store, person.server)
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    with person.api() as api, pytest.raises(NotLoggedIn):
        api.submit("/auth/token", form)


def test_a_wrong_password_has_a_clear_message(person: Person) -> None:
    with pytest.raises(ClientError, match="wrong e-mail address or password"):
        accounts.log_in(person.store, person.server, person.email, PASSWORD + "!")


def test_a_refused_registration_names_the_field(person: Person) -> None:
    with pytest.raises(ApiError, match="the password: "):
        accounts.register(person.server, "ann@example.com", "short", None)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("localhost:8000", "http://localhost:8000"),
        ("https://wall.example.com/", "https://wall.example.com"),
        (" http://127.0.0.1:9 ", "http://127.0.0.1:9"),
    ],
)
def test_a_server_url_may_be_abbreviated(given: str, expected: str) -> None:
    assert accounts.normalize(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        "ftp://x",
        "http://",
        "",
        " ",
        "http://[::1",
        "h:0",
        "h:99999",
        "http://h:-1",
        "http://h:x",
        "a b",
        "http://h/a b",
    ],
)
def test_an_invalid_server_url_is_refused(given: str) -> None:
    with pytest.raises(ClientError, match="server URL"):
        accounts.normalize(given)


def test_the_file_holds_no_password(person: Person) -> None:
    assert PASSWORD not in person.file.path.read_text()
    assert set(json.loads(person.file.path.read_text())) == set(Session.model_fields)

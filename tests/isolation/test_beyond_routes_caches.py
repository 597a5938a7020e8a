"""Keys, channels, queues and paths of project data require a scope, and two projects share none."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import get_type_hints
from uuid import UUID, uuid4

import pytest

from partywall.adapters.blobs.directory import DirectoryBlobStore
from partywall.core import cache_keys
from partywall.core.cache_keys import CacheKey
from partywall.core.errors import NotFoundError
from partywall.core.resources import Resources
from partywall.core.security.tokens import VerifiedToken
from partywall.core.tenancy import Principal, ProjectScope, Role, make_scope
from partywall.features.live.tickets import PURPOSE, Tickets
from partywall.testing.users import Users

# Keys of data that belongs to no project. A ticket's value names its project, which is compared when it is redeemed. An
# idempotency claim's name is a hash of project and caller, and it holds no data of either. A worker's delay is a number
# that only creators of a project's documents can notice. One-time values belong to a person who logs in.
OF_NO_PROJECT = {"ticket", "request_claim", "worker_delay", "one_time"}


def builders() -> dict[str, object]:
    return {
        name: each
        for name, each in inspect.getmembers(cache_keys, inspect.isfunction)
        if each.__module__ == cache_keys.__name__ and not name.startswith("_")
    }


BARE = {"uuid": UUID(int=7), "text": str(UUID(int=7)), "nothing": None, "principal": Principal.service(UUID(int=7))}


def a_scope() -> ProjectScope:
    return make_scope(uuid4(), Principal.user(uuid4()), Role.EDITOR)


def test_a_key_of_project_data_takes_a_scope_and_makes_no_str() -> None:
    """`CacheKey` comes only from this module, and from a `ProjectScope`; the type checker enforces it."""
    assert set(builders()) > OF_NO_PROJECT
    for name, build in builders().items():
        hints = get_type_hints(build)
        assert hints.pop("return") is CacheKey, name
        assert (next(iter(hints.values())) is ProjectScope) == (name not in OF_NO_PROJECT), name


@pytest.mark.parametrize("bare", BARE.values(), ids=BARE)
@pytest.mark.parametrize("name", sorted(set(builders()) - OF_NO_PROJECT))
def test_a_key_of_project_data_is_not_built_from_a_bare_id(name: str, bare: object) -> None:
    with pytest.raises(TypeError, match="ProjectScope"):
        getattr(cache_keys, name)(bare)


@pytest.mark.parametrize("name", sorted(set(builders()) - OF_NO_PROJECT))
def test_two_projects_share_no_key(name: str) -> None:
    build, one, other = getattr(cache_keys, name), a_scope(), a_scope()
    assert build(one) != build(other)
    assert str(one.project_id) in build(one)
    again = make_scope(one.project_id, Principal.user(uuid4()), Role.VIEWER)
    assert build(one) == build(again), "members share the project's keys"


async def test_the_cache_holds_nothing_under_another_name(users: Users, resources: Resources) -> None:
    """After a project was used, every key in the real server comes from this one module."""
    person = await users.person()
    project = await person.project()
    await person.client.post(f"/api/v1/projects/{project}/documents", json={"title": "T", "content": "C"})
    await person.client.get(f"/api/v1/projects/{project}/search?q=c")
    await person.client.post(f"/api/v1/projects/{project}/events/ticket")
    names = [key.decode() async for key in resources.cache.scan_iter("*")]
    known = ("ticket:", "claim:", "delay:", "once:", f"{cache_keys.ATTEMPTS_PREFIX}", "proj:")
    assert [name for name in names if cache_keys.ATTEMPTS_PREFIX not in name and not name.startswith(known)] == []
    assert [name for name in names if str(project) in name and not name.startswith("proj:")] == []


async def test_a_ticket_is_bound_by_its_value_too(users: Users, resources: Resources) -> None:
    """Its key names no project, because its holder has not authenticated; its value names project and caller."""
    person = await users.person()
    verified: VerifiedToken = await resources.access_tokens.verify(person.token)
    tickets = Tickets(resources.cache, resources.settings.events.ticket_ttl, resources.secrets.signer(PURPOSE))
    scope = a_scope()
    secret = await tickets.issue(scope, verified)
    stored = await resources.cache.get(cache_keys.ticket(secret))
    assert isinstance(stored, bytes)
    assert str(scope.project_id).encode() in stored
    assert (await tickets.redeem(secret, scope.project_id)).principal == person.principal


@pytest.mark.parametrize("key", ["../" + "0" * 29, "{foreign}/00/" + "0" * 32, "..%2f" + "0" * 27, "\0" * 32])
async def test_a_blobs_path_leaves_its_project_by_no_key(tmp_path: Path, key: str) -> None:
    store, mine, foreign = DirectoryBlobStore(tmp_path), a_scope(), a_scope()
    blob = await store.put(foreign, partial(_bytes, b"secret"), max_bytes=9)
    assert _project_of(tmp_path, blob.key) == foreign.project_id
    for tried in (blob.key, key.format(foreign=foreign.project_id), f"../../{foreign.project_id}/{blob.key}"):
        with pytest.raises(NotFoundError):
            await anext(store.open(mine, tried, 0, 6))


def _project_of(root: Path, key: str) -> UUID:
    [path] = root.rglob(key)
    return UUID(path.relative_to(root).parts[0])


async def _bytes(data: bytes) -> AsyncIterator[bytes]:
    yield data

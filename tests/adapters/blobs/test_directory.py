from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from partywall.adapters.blobs.directory import DirectoryBlobStore
from partywall.core.db.scopes import open_scope
from partywall.core.errors import ContentTooLargeError, NotFoundError
from partywall.core.resources import Resources
from partywall.core.tenancy import ProjectScope
from partywall.testing.users import Users


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def read(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in stream])


@pytest.fixture
def store(tmp_path: Path) -> DirectoryBlobStore:
    return DirectoryBlobStore(tmp_path / "blobs")


async def scope_of(users: Users, resources: Resources) -> ProjectScope:
    person = await users.person()
    project = await person.project()
    async with resources.sessions.read() as session:
        return await open_scope(session, person.principal, project)


@pytest.fixture
async def scope(users: Users, resources: Resources) -> ProjectScope:
    return await scope_of(users, resources)


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


async def test_a_blob_can_be_read_whole_or_in_part(store: DirectoryBlobStore, scope: ProjectScope) -> None:
    data = bytes(range(256)) * 3000
    blob = await store.put(scope, chunks(data[:7], b"", data[7:]), max_bytes=len(data))
    assert (blob.size, blob.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert await read(store.open(scope, blob.key)) == data
    assert await read(store.open(scope, blob.key, 5, 9)) == data[5:9]
    assert await read(store.open(scope, blob.key, 300_000)) == data[300_000:]
    assert await read(store.open(scope, blob.key, 4, 4)) == b""
    assert await read(store.open(scope, blob.key, len(data) + 5)) == b""


async def test_equal_content_makes_two_blobs(store: DirectoryBlobStore, scope: ProjectScope) -> None:
    one = await store.put(scope, chunks(b"x"), max_bytes=9)
    two = await store.put(scope, chunks(b"x"), max_bytes=9)
    assert one.key != two.key
    await store.delete(scope, one.key)
    await store.delete(scope, one.key)
    assert await read(store.open(scope, two.key)) == b"x"
    with pytest.raises(NotFoundError):
        await read(store.open(scope, one.key))


async def test_a_blob_over_the_limit_is_refused_and_leaves_nothing(
    store: DirectoryBlobStore, scope: ProjectScope, tmp_path: Path
) -> None:
    with pytest.raises(ContentTooLargeError):
        await store.put(scope, chunks(b"12345", b"6"), max_bytes=5)
    assert files(tmp_path) == []


async def test_a_broken_stream_leaves_nothing(store: DirectoryBlobStore, scope: ProjectScope, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await store.put(scope, broken(), max_bytes=5)
    assert files(tmp_path) == []


async def test_a_key_does_not_open_another_projects_blob(
    store: DirectoryBlobStore, scope: ProjectScope, users: Users, resources: Resources
) -> None:
    other = await scope_of(users, resources)
    blob = await store.put(scope, chunks(b"secret"), max_bytes=9)
    with pytest.raises(NotFoundError):
        await read(store.open(other, blob.key))
    await store.delete(other, blob.key)
    assert await read(store.open(scope, blob.key)) == b"secret"


@pytest.mark.parametrize("key", ["../x", "", "A" * 32, "0" * 31, f"{'0' * 32}/", "0" * 31 + "\n"])
async def test_a_key_cannot_be_a_path(store: DirectoryBlobStore, scope: ProjectScope, key: str) -> None:
    with pytest.raises(NotFoundError):
        await read(store.open(scope, key))
    with pytest.raises(NotFoundError):
        await store.delete(scope, key)


async def test_deleting_a_project_deletes_its_blobs(
    store: DirectoryBlobStore, scope: ProjectScope, users: Users, resources: Resources, tmp_path: Path
) -> None:
    other = await scope_of(users, resources)
    await store.put(scope, chunks(b"x"), max_bytes=9)
    kept = await store.put(other, chunks(b"x"), max_bytes=9)
    for _ in range(2):
        await store.delete_project(scope.project_id)
    assert [path.name for path in files(tmp_path)] == [kept.key]


async def test_files_are_private_to_their_owner(store: DirectoryBlobStore, scope: ProjectScope, tmp_path: Path) -> None:
    await store.put(scope, chunks(b"x"), max_bytes=9)
    [file] = files(tmp_path)
    assert file.stat().st_mode & 0o077 == 0
    for folder in (path for path in (tmp_path / "blobs").rglob("*") if path.is_dir()):
        assert folder.stat().st_mode & 0o077 == 0


async def test_ping_finds_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        await DirectoryBlobStore(tmp_path / "file" / "blobs").ping()
    await DirectoryBlobStore(tmp_path / "blobs").ping()

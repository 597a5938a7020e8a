"""What every blob store does."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from partywall.core.clock import utc_now
from partywall.core.errors import ContentTooLargeError, NotFoundError
from partywall.core.tenancy import ProjectScope
from tests.adapters.blobs.conftest import Box, a_scope, chunks, read

MIB = 1024 * 1024
LATER = timedelta(hours=1)


async def test_a_blob_can_be_read_whole_or_in_part(box: Box, scope: ProjectScope) -> None:
    """Large enough for two parts of a multipart upload."""
    data = bytes(range(256)) * (11 * MIB // 256)
    blob = await box.store.put(scope, chunks(data[:7], b"", data[7:]), max_bytes=len(data))
    sha256 = hashlib.sha256(data).hexdigest()
    assert (blob.size, blob.sha256, blob.key[:64]) == (len(data), sha256, sha256)
    assert await read(box.store.open(scope, blob.key, 0, len(data))) == data
    assert await read(box.store.open(scope, blob.key, 5, 9)) == data[5:9]
    assert await read(box.store.open(scope, blob.key, 300_000, 3_000_000)) == data[300_000:3_000_000]
    assert await read(box.store.open(scope, blob.key, 4, 4)) == b""
    assert await read(box.store.open(scope, blob.key, len(data) - 2, len(data) + 5)) == data[-2:]


async def test_equal_content_put_twice_can_be_deleted_once(box: Box, scope: ProjectScope) -> None:
    one, two = [await box.store.put(scope, chunks(b"x"), max_bytes=9) for _ in range(2)]
    assert one.key != two.key
    for _ in range(2):
        await box.store.delete(scope, one.key)
    assert await read(box.store.open(scope, two.key, 0, 1)) == b"x"
    with pytest.raises(NotFoundError):
        await read(box.store.open(scope, one.key, 0, 1))


async def test_an_empty_blob(box: Box, scope: ProjectScope) -> None:
    blob = await box.store.put(scope, chunks(), max_bytes=9)
    assert blob.size == 0
    assert await read(box.store.open(scope, blob.key, 0, 0)) == b""
    assert await box.names() == [blob.key]


async def test_a_blob_over_the_limit_is_refused_and_leaves_nothing(box: Box, scope: ProjectScope) -> None:
    with pytest.raises(ContentTooLargeError):
        await box.store.put(scope, chunks(b"12345", b"6"), max_bytes=5)
    assert await box.names() == []


async def test_a_stream_that_breaks_leaves_nothing(box: Box, scope: ProjectScope) -> None:
    """The first time it is read, and the second time if there is one."""
    for breaks in (1, 2):
        begun = 0

        async def broken(breaks: int = breaks) -> AsyncIterator[bytes]:
            nonlocal begun
            begun += 1
            for _ in range(12):
                yield b"x" * MIB
            if begun == breaks:
                raise ConnectionResetError

        if breaks == 1 or box.options is not None:
            with pytest.raises(ConnectionResetError):
                await box.store.put(scope, broken, max_bytes=99 * MIB)
    assert await box.names() == []


async def test_a_key_does_not_open_another_projects_blob(box: Box, scope: ProjectScope) -> None:
    other = a_scope()
    blob = await box.store.put(scope, chunks(b"secret"), max_bytes=9)
    with pytest.raises(NotFoundError):
        await read(box.store.open(other, blob.key, 0, 6))
    await box.store.delete(other, blob.key)
    assert await read(box.store.open(scope, blob.key, 0, 6)) == b"secret"


WHOLE = f"{'0' * 64}-{'0' * 16}"


@pytest.mark.parametrize("key", ["../x", "", WHOLE.upper().replace("0", "A"), WHOLE[1:], f"{WHOLE}/", f"{WHOLE}\n"])
async def test_a_key_cannot_be_a_path(box: Box, scope: ProjectScope, key: str) -> None:
    with pytest.raises(NotFoundError):
        await read(box.store.open(scope, key, 0, 1))
    with pytest.raises(NotFoundError):
        await box.store.delete(scope, key)
    if box.options is not None:
        with pytest.raises(NotFoundError):
            box.store.link(scope, key, content_type="text/plain", disposition="attachment")


async def test_deleting_a_project_deletes_its_blobs(box: Box, scope: ProjectScope) -> None:
    other = a_scope()
    for _ in range(2):
        await box.store.put(scope, chunks(b"x"), max_bytes=9)
    kept = await box.store.put(other, chunks(b"x"), max_bytes=9)
    for _ in range(2):
        await box.store.delete_project(scope.project_id)
    assert await box.names() == [kept.key]


async def test_old_blobs_are_listed_by_project(box: Box, scope: ProjectScope) -> None:
    other = a_scope()
    mine = [(await box.store.put(scope, chunks(b"x"), max_bytes=9)).key for _ in range(3)]
    theirs = await box.store.put(other, chunks(b"x"), max_bytes=9)
    found = {project: sorted(keys) async for project, keys in box.store.stored_before(utc_now() + LATER)}
    assert found == {scope.project_id: sorted(mine), other.project_id: [theirs.key]}
    assert not [keys async for _, keys in box.store.stored_before(utc_now() - LATER) if keys]


async def test_a_store_that_answers(box: Box) -> None:
    await box.store.ping()

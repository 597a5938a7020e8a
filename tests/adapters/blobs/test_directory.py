from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from partywall.adapters.blobs.directory import DirectoryBlobStore
from partywall.core.clock import utc_now
from partywall.core.tenancy import ProjectScope
from tests.adapters.blobs.conftest import chunks


@pytest.fixture
def store(tmp_path: Path) -> DirectoryBlobStore:
    return DirectoryBlobStore(tmp_path / "blobs")


async def test_files_are_private_to_their_owner(store: DirectoryBlobStore, scope: ProjectScope, tmp_path: Path) -> None:
    await store.put(scope, chunks(b"x"), max_bytes=9)
    [file] = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert file.stat().st_mode & 0o077 == 0
    for folder in (path for path in (tmp_path / "blobs").rglob("*") if path.is_dir()):
        assert folder.stat().st_mode & 0o077 == 0


async def test_only_old_temporary_files_are_unfinished(
    store: DirectoryBlobStore, scope: ProjectScope, tmp_path: Path
) -> None:
    blob = await store.put(scope, chunks(b"x"), max_bytes=9)
    left = tmp_path / "blobs" / str(scope.project_id) / "tmpleft"
    left.touch()
    assert await store.remove_unfinished(utc_now() - timedelta(hours=1)) == 0
    assert await store.remove_unfinished(utc_now() + timedelta(hours=1)) == 1
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [blob.key]


async def test_ping_finds_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        await DirectoryBlobStore(tmp_path / "file" / "blobs").ping()

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Final
from uuid import UUID

from partywall.core.blobs import KEY, PROJECT, Chunks, Digest, StoredBlob, new_key
from partywall.core.errors import NotFoundError
from partywall.core.tenancy import ProjectNotFoundError, ProjectScope

_CHUNK: Final = 256 * 1024
_KEYS_AT_ONCE: Final = 500


class DirectoryBlobStore:
    """Files under `root/<project id>/`, written atomically."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _path(self, scope: ProjectScope, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise NotFoundError("No such blob.")
        return self._root / str(scope.project_id) / key[:2] / key

    async def put(self, scope: ProjectScope, chunks: Chunks, *, max_bytes: int) -> StoredBlob:
        directory = self._root / str(scope.project_id)
        await asyncio.to_thread(directory.mkdir, mode=0o700, parents=True, exist_ok=True)
        try:
            return await self._put(scope, directory, chunks, max_bytes)
        except FileNotFoundError as error:  # the directory was removed meanwhile
            raise ProjectNotFoundError from error

    async def _put(self, scope: ProjectScope, directory: Path, chunks: Chunks, max_bytes: int) -> StoredBlob:
        file: IO[bytes] = await asyncio.to_thread(tempfile.NamedTemporaryFile, dir=directory, delete=False)
        temporary, digest = Path(file.name), Digest(max_bytes)
        try:
            async for chunk in chunks():
                digest.count(chunk)
                await asyncio.to_thread(_write, file, digest, chunk)
            key = new_key(digest.sha256)
            await asyncio.to_thread(_settle, file, temporary, self._path(scope, key))
        finally:
            await asyncio.to_thread(_discard, file, temporary)
        return StoredBlob(key, digest.sha256, digest.size)

    async def open(self, scope: ProjectScope, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        path = self._path(scope, key)
        try:
            file = await asyncio.to_thread(path.open, "rb")
        except FileNotFoundError as error:
            raise NotFoundError("No such blob.") from error
        try:
            await asyncio.to_thread(file.seek, start)
            while start < end and (chunk := await asyncio.to_thread(file.read, min(_CHUNK, end - start))):
                start += len(chunk)
                yield chunk
        finally:
            await asyncio.to_thread(file.close)

    def link(self, scope: ProjectScope, key: str, *, content_type: str, disposition: str) -> None:  # noqa: ARG002 - the port
        return None

    async def delete(self, scope: ProjectScope, *keys: str) -> None:
        for path in [self._path(scope, key) for key in keys]:
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def delete_project(self, project_id: UUID) -> None:
        await asyncio.to_thread(_remove_tree, self._root / str(project_id))

    async def stored_before(self, before: datetime) -> AsyncIterator[tuple[UUID, list[str]]]:
        for project_id in await asyncio.to_thread(_projects, self._root):
            keys = await asyncio.to_thread(_stored_before, self._root / str(project_id), before.timestamp())
            for start in range(0, max(1, len(keys)), _KEYS_AT_ONCE):
                yield project_id, keys[start : start + _KEYS_AT_ONCE]

    async def remove_unfinished(self, before: datetime) -> int:
        return await asyncio.to_thread(_remove_unfinished, self._root, before.timestamp())

    async def ping(self) -> None:
        await asyncio.to_thread(self._root.mkdir, mode=0o700, parents=True, exist_ok=True)
        if not os.access(self._root, os.W_OK):
            raise PermissionError(f"{self._root} is not writable")

    async def close(self) -> None: ...


def _projects(root: Path) -> list[UUID]:
    return [UUID(each.name) for each in root.iterdir() if PROJECT.fullmatch(each.name)] if root.is_dir() else []


def _files_before(directory: Path, before: float) -> Iterator[Path]:
    for parent, _, names in os.walk(directory):
        for path in (Path(parent, name) for name in names):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    yield path


def _stored_before(directory: Path, before: float) -> list[str]:
    return [path.name for path in _files_before(directory, before) if KEY.fullmatch(path.name)]


def _remove_unfinished(root: Path, before: float) -> int:
    """Removes older temporary files, which have other names than blobs."""
    removed = 0
    for project_id in _projects(root):
        for path in _files_before(root / str(project_id), before):
            if not KEY.fullmatch(path.name):
                path.unlink(missing_ok=True)
                removed += 1
    return removed


def _remove_tree(directory: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(directory)


def _write(file: IO[bytes], digest: Digest, chunk: bytes) -> None:
    digest.update(chunk)
    file.write(chunk)


def _settle(file: IO[bytes], temporary: Path, path: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    path.parent.mkdir(mode=0o700, exist_ok=True)
    temporary.replace(path)


def _discard(file: IO[bytes], temporary: Path) -> None:
    try:
        file.close()  # flushes, which fails on a full disk
    finally:
        temporary.unlink(missing_ok=True)

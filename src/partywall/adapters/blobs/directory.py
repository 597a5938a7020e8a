from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import IO, Final, Protocol
from uuid import UUID

from partywall.core.blobs import StoredBlob
from partywall.core.errors import ContentTooLargeError, NotFoundError
from partywall.core.ids import new_id
from partywall.core.tenancy import ProjectNotFoundError, ProjectScope

_KEY: Final = re.compile(r"[0-9a-f]{32}")
_PROJECT: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_CHUNK: Final = 256 * 1024
_KEYS_AT_ONCE: Final = 500


class Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


class DirectoryBlobStore:
    """Files with unique names under `root/<project id>/`, written atomically."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _path(self, scope: ProjectScope, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise NotFoundError("No such blob.")
        return self._root / str(scope.project_id) / key[-2:] / key

    async def put(self, scope: ProjectScope, chunks: AsyncIterator[bytes], *, max_bytes: int) -> StoredBlob:
        directory = self._root / str(scope.project_id)
        await asyncio.to_thread(directory.mkdir, mode=0o700, parents=True, exist_ok=True)
        try:
            return await self._put(scope, directory, chunks, max_bytes)
        except FileNotFoundError as error:  # the directory was removed meanwhile
            raise ProjectNotFoundError from error

    async def _put(
        self, scope: ProjectScope, directory: Path, chunks: AsyncIterator[bytes], max_bytes: int
    ) -> StoredBlob:
        file: IO[bytes] = await asyncio.to_thread(tempfile.NamedTemporaryFile, dir=directory, delete=False)
        temporary = Path(file.name)
        digest = hashlib.sha256()
        size = 0
        try:
            async for chunk in chunks:
                size += len(chunk)
                if size > max_bytes:
                    raise ContentTooLargeError(f"At most {max_bytes} bytes are accepted.")
                await asyncio.to_thread(_write, file, digest, chunk)
            key = new_id().hex
            await asyncio.to_thread(_settle, file, temporary, self._path(scope, key))
        finally:
            await asyncio.to_thread(_discard, file, temporary)
        return StoredBlob(key=key, sha256=digest.hexdigest(), size=size)

    async def open(self, scope: ProjectScope, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        path = self._path(scope, key)
        try:
            file = await asyncio.to_thread(path.open, "rb")
        except FileNotFoundError as error:
            raise NotFoundError("No such blob.") from error
        try:
            await asyncio.to_thread(file.seek, start)
            left = end - start if end is not None else None
            while left is None or left > 0:
                chunk = await asyncio.to_thread(file.read, _CHUNK if left is None else min(_CHUNK, left))
                if not chunk:
                    return
                left = None if left is None else left - len(chunk)
                yield chunk
        finally:
            await asyncio.to_thread(file.close)

    async def delete(self, scope: ProjectScope, key: str) -> None:
        await asyncio.to_thread(self._path(scope, key).unlink, missing_ok=True)

    async def delete_project(self, project_id: UUID) -> None:
        await asyncio.to_thread(_remove_tree, self._root / str(project_id))

    async def stored_before(self, before: datetime) -> AsyncIterator[tuple[UUID, list[str]]]:
        for project_id in await asyncio.to_thread(_projects, self._root):
            keys = await asyncio.to_thread(_stored_before, self._root / str(project_id), before.timestamp())
            for start in range(0, max(1, len(keys)), _KEYS_AT_ONCE):
                yield project_id, keys[start : start + _KEYS_AT_ONCE]

    async def ping(self) -> None:
        await asyncio.to_thread(self._root.mkdir, mode=0o700, parents=True, exist_ok=True)
        if not os.access(self._root, os.W_OK):
            raise PermissionError(f"{self._root} is not writable")


def _projects(root: Path) -> list[UUID]:
    return [UUID(each.name) for each in root.iterdir() if _PROJECT.fullmatch(each.name)] if root.is_dir() else []


def _stored_before(directory: Path, before: float) -> list[str]:
    """Keys of files that are older; deletes older temporary files, which have other names."""
    keys: list[str] = []
    for parent, _, names in os.walk(directory):
        for path in (Path(parent, name) for name in names):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime >= before:
                    continue
                if _KEY.fullmatch(path.name):
                    keys.append(path.name)
                else:
                    path.unlink()
    return keys


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

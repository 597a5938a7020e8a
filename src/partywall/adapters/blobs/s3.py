"""Blobs in a bucket of S3 or a store that speaks its protocol. Imported only if the settings ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Final
from uuid import UUID

import httpx2
import obstore

from partywall.adapters.blobs.s3_errors import FAILURES, reported
from partywall.adapters.blobs.s3_options import S3Options, open_bucket
from partywall.adapters.blobs.s3_unfinished import abort, unfinished_uploads
from partywall.core.blobs import KEY, PROJECT, Chunks, StoredBlob, digest_of, new_key
from partywall.core.clock import utc_now
from partywall.core.errors import NotFoundError
from partywall.core.outgoing.cookies import no_cookies
from partywall.core.outgoing.endpoints import tls_context
from partywall.core.storage_errors import StorageAwayError
from partywall.core.tenancy import ProjectScope

if TYPE_CHECKING:  # obstore has it for type checkers only
    from obstore import AsyncWritableFile

# A download asks for one piece at a time, so that a slow client neither holds a connection nor runs into a timeout.
_PIECE: Final = 1024 * 1024
# An upload holds this part and those on their way. A larger blob is sent as a multipart upload.
_PART: Final = 5 * 1024 * 1024
_PARTS_ON_THEIR_WAY: Final = 2
_KEYS_AT_ONCE: Final = 500
_LINK_SECONDS: Final = 60
_LAST_WORDS_SECONDS: Final = 0.1


class S3BlobStore:
    """Objects named `<prefix><project id>/<key>`, which appear when they are complete."""

    def __init__(self, options: S3Options) -> None:
        self._options = options
        self._links = options.link_signer()
        self._store = open_bucket(options)

    def _name(self, scope: ProjectScope, key: str) -> str:
        if not KEY.fullmatch(key):
            raise NotFoundError("No such blob.")
        return f"{self._options.prefix}{scope.project_id}/{key}"

    async def put(self, scope: ProjectScope, chunks: Chunks, *, max_bytes: int) -> StoredBlob:
        digest = await digest_of(chunks, max_bytes)  # the name must be known before the first part is sent
        key = new_key(digest.sha256)
        writer = obstore.open_writer_async(
            self._store, self._name(scope, key), buffer_size=_PART, max_concurrency=_PARTS_ON_THEIR_WAY
        )
        done = False
        try:
            async for chunk in chunks():
                with reported():
                    await writer.write(chunk)
            done = True
            with reported():
                await writer.close()
        finally:
            if not done:
                await _abort(writer)
        return StoredBlob(key, digest.sha256, digest.size)

    async def open(self, scope: ProjectScope, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        name = self._name(scope, key)
        while start < end:
            upto = min(end, start + _PIECE)
            with reported():
                piece = bytes(await obstore.get_range_async(self._store, name, start=start, end=upto))
            yield piece
            start = upto if len(piece) == upto - start else end

    def link(self, scope: ProjectScope, key: str, *, content_type: str, disposition: str) -> str | None:
        name = self._name(scope, key)
        if self._links is None:
            return None
        answer = {"response-content-type": content_type, "response-content-disposition": disposition}
        return self._links.url("GET", name, answer, now=utc_now(), seconds=_LINK_SECONDS)

    async def delete(self, scope: ProjectScope, *keys: str) -> None:
        await self._delete([self._name(scope, key) for key in keys])

    async def delete_project(self, project_id: UUID) -> None:
        async for names in self._listed(f"{project_id}/"):
            await self._delete([name for name, _ in names])

    async def stored_before(self, before: datetime) -> AsyncIterator[tuple[UUID, list[str]]]:
        async for names in self._listed(""):
            found = [each for name, stored_at in names if stored_at < before and (each := self._own(name)) is not None]
            for project_id, group in groupby(found, key=lambda each: each[0]):
                yield project_id, [key for _, key in group]

    async def remove_unfinished(self, before: datetime) -> int:
        signer, removed = self._options.signer(), 0
        if signer is None:
            return 0  # the bucket's lifecycle rule does it
        with reported():
            async with self._client() as client:
                async for upload in unfinished_uploads(client, signer, self._options.prefix):
                    if upload.begun_at < before and self._own(upload.key) is not None:
                        await abort(client, signer, upload)
                        removed += 1
        return removed

    async def ping(self) -> None:
        """Raises NotFoundError or StorageAwayError unless the bucket answers that it has no such object."""
        with suppress(NotFoundError), reported():
            await obstore.get_range_async(self._store, f"{self._options.prefix}ping", start=0, end=1)

    async def close(self) -> None:
        """Waits for obstore's threads, which still hold Python objects for a moment after they have answered.

        In a process that ends meanwhile, Python's end of them makes the whole process abort.
        """
        await asyncio.sleep(_LAST_WORDS_SECONDS)

    def _own(self, name: str) -> tuple[UUID, str] | None:
        """The project and key of an object; None for what this store has not written."""
        project, _, key = name.removeprefix(self._options.prefix).partition("/")
        return (UUID(project), key) if PROJECT.fullmatch(project) and KEY.fullmatch(key) else None

    async def _listed(self, below: str) -> AsyncIterator[list[tuple[str, datetime]]]:
        """Names, in order, and when they were stored."""
        prefix = f"{self._options.prefix}{below}" or None
        with reported():
            async for found in obstore.list(self._store, prefix, chunk_size=_KEYS_AT_ONCE):
                yield [(each["path"], each["last_modified"]) for each in found]

    async def _delete(self, names: list[str]) -> None:
        if names:
            with reported():
                await obstore.delete_async(self._store, names)

    def _client(self) -> httpx2.AsyncClient:
        tls = tls_context(self._options.ca_file)
        return httpx2.AsyncClient(timeout=self._options.timeout, verify=tls, trust_env=False, cookies=no_cookies())


async def _abort(writer: AsyncWritableFile) -> None:
    """What cannot be aborted now, `remove_unfinished` removes."""
    with suppress(*FAILURES):
        await asyncio.shield(writer.__aexit__(StorageAwayError, None, None))

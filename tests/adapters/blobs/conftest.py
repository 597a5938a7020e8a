from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

import httpx2
import obstore
import pytest

from partywall.adapters.blobs.directory import DirectoryBlobStore
from partywall.adapters.blobs.s3 import S3BlobStore
from partywall.adapters.blobs.s3_options import S3Options, open_bucket
from partywall.adapters.blobs.s3_unfinished import unfinished_uploads
from partywall.core.blobs import BlobStore, Chunks
from partywall.core.tenancy import Principal, ProjectScope, Role, UnlockedScope, sealed_scope
from partywall.testing.s3_server import S3Server


@dataclass(frozen=True, slots=True)
class Box:
    """A store, and a look into it from outside."""

    store: BlobStore
    directory: Path | None = None
    options: S3Options | None = None

    async def names(self) -> list[str]:
        """All files or objects, and unfinished uploads."""
        if self.directory is not None:
            return [path.name for path in self.directory.rglob("*") if path.is_file()]
        assert self.options is not None
        found = await obstore.list(open_bucket(self.options), self.options.prefix).collect_async()
        signer = self.options.signer()
        assert signer is not None
        async with httpx2.AsyncClient() as client:
            unfinished = [each.key async for each in unfinished_uploads(client, signer, self.options.prefix)]
        return [name.rpartition("/")[2] for name in (*(each["path"] for each in found), *unfinished)]


@pytest.fixture(params=["directory", "s3"])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Box:
    if request.param == "directory":
        return Box(DirectoryBlobStore(tmp_path / "blobs"), directory=tmp_path / "blobs")
    server: S3Server = request.getfixturevalue("s3_server")
    options = server.options(f"{uuid4()}/")
    return Box(S3BlobStore(options), options=options)


@pytest.fixture
def s3_box(s3_server: S3Server) -> Box:
    options = s3_server.options(f"{uuid4()}/", timeout=1.0)
    return Box(S3BlobStore(options), options=options)


def a_scope() -> ProjectScope:
    project = uuid4()
    return sealed_scope(UnlockedScope, project, Principal.service(project), Role.OWNER)


@pytest.fixture
def scope() -> ProjectScope:
    return a_scope()


async def _pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def chunks(*parts: bytes) -> Chunks:
    return partial(_pieces, *parts)


async def read(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in stream])

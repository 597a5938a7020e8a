"""A full disk, simulated: no file of a process may grow beyond a limit; the system call fails with EFBIG."""

from __future__ import annotations

import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from httpx2 import AsyncClient, Response
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from partywall.adapters.embedded import EmbeddedPostgres
from partywall.core.db.driver_errors import reported
from partywall.core.db.engine import create_engine
from partywall.core.http.problems import system_fact
from partywall.core.resources import Resources
from partywall.core.spool import keep_temporary_files
from partywall.core.storage_errors import StorageFullError, is_full
from partywall.testing.users import Users

# The segments of the write-ahead log have this size and must not be cut off.
SEGMENT = 16 * 1024 * 1024
FILL = "INSERT INTO filled SELECT repeat(gen_random_uuid()::text, 50) FROM generate_series(1, 12000)"


@contextmanager
def files_of(size: int) -> Iterator[None]:
    """Limits the size of every file of this process and of its children."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def assert_full(answer: Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, "insufficient_storage")
    assert int(answer.headers["retry-after"]) > 0


async def upload(client: AsyncClient, project: UUID, size: int) -> Response:
    files = {"file": ("notes.txt", b"words " * (size // 6), "text/plain")}
    return await client.post(f"/api/v1/projects/{project}/documents/upload", files=files)


@pytest.mark.parametrize("size", [40_000, 3_000_000])
async def test_an_upload_is_refused_and_leaves_nothing(users: Users, resources: Resources, size: int) -> None:
    """The larger upload is spooled to disk before it is parsed as a form, and again as a file of that form."""
    person = await users.person()
    project = await person.project()
    with files_of(10_000):
        assert_full(await upload(person.client, project, size))
    directory = resources.settings.blob_directory / str(project)
    assert [path for path in directory.rglob("*") if path.is_file()] == []
    assert (await upload(person.client, project, size)).status_code == 201


async def test_a_form_that_is_read_is_refused(users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    """The form's spool file is separate from the file that it carries."""
    person = await users.person()
    project = await person.project()

    def nowhere(*_: object, **__: object) -> tempfile.SpooledTemporaryFile[bytes]:
        return tempfile.SpooledTemporaryFile(max_size=1)

    monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile", nowhere)
    with files_of(10_000):
        assert_full(await upload(person.client, project, 40_000))


async def test_a_large_document_is_refused(users: Users) -> None:
    person = await users.person()
    project = await person.project()
    body = {"title": "Large", "content": "words " * 200_000}
    with files_of(10_000):
        assert_full(await person.client.post(f"/api/v1/projects/{project}/documents", json=body))


async def test_a_full_database_disk_is_reported() -> None:
    """For callers of the driver and of an engine."""
    directory = Path(tempfile.mkdtemp(prefix="pw-test-"))
    directory.chmod(0o711)
    postgres = EmbeddedPostgres(directory / "data", {"fsync": "off", "shared_buffers": "16MB"})
    with files_of(SEGMENT):
        await postgres.start()
    engine = create_engine(postgres.owner_url, pool_size=1, overflow=0, settings={})
    connection = await asyncpg.connect(postgres.dsn("partywall_owner"))
    await connection.execute("CREATE TABLE filled (content text)")
    with pytest.raises(StorageFullError), reported():
        await connection.execute(FILL)
    with pytest.raises(DBAPIError) as failed:
        async with engine.begin() as session:
            await session.execute(text(FILL))
    assert isinstance(system_fact(failed.value), StorageFullError)
    await connection.close()
    await engine.dispose()
    await postgres.stop()
    postgres.remove()
    shutil.rmtree(directory)


def test_the_codes_of_a_full_disk_are_known() -> None:
    assert is_full(asyncpg.DiskFullError("could not extend file"))
    assert is_full(asyncpg.PostgresIOError("could not write to file: Disk quota exceeded"))
    assert not is_full(asyncpg.InternalServerError("unexpected chunk number 0"))
    assert not is_full(FileNotFoundError(2, "No such file or directory"))


def test_the_files_of_forms_are_in_the_spool_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    keep_temporary_files(tmp_path / "spool")
    with tempfile.SpooledTemporaryFile(max_size=1) as file:
        file.write(b"more than one byte")
        assert Path(f"/proc/self/fd/{file.fileno()}").readlink().is_relative_to(tmp_path / "spool")

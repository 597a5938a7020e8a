from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from partywall.cli import run
from partywall.core.blobs import new_key
from partywall.settings import Settings
from partywall.testing.s3_server import S3Server
from partywall.testing.users import Users

pytestmark = pytest.mark.usefixtures("servers")


async def command(*arguments: str) -> int:
    """In a thread: a command runs its own event loop."""
    return await asyncio.to_thread(run, arguments)


async def test_originals_without_a_document_are_counted_or_deleted(
    users: Users, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    person = await users.person()
    project = await person.project()
    sent = {"file": ("a.txt", b"kept", "text/plain")}
    assert (await person.client.post(f"/api/v1/projects/{project}/documents/upload", files=sent)).status_code == 201
    directory = settings.blob_directory / str(project)
    [kept] = _files(directory)
    old, young = directory / "00" / new_key("0" * 64), directory / "00" / new_key("0" * 64)
    old.parent.mkdir()
    for path in (old, young, directory / "tmpleft"):
        path.touch()
    before = time.time() - 2 * 3600
    for path in (old, kept, directory / "tmpleft"):
        os.utime(path, (before, before))
    monkeypatch.setenv("BLOBS__DIRECTORY", str(settings.blob_directory))
    capsys.readouterr()
    assert await command("blobs", "sweep", "--hours", "1", "--dry-run") == 0
    assert len(_files(directory)) == 4
    assert await command("blobs", "sweep", "--hours", "1") == 0
    assert _files(directory) == sorted([kept, young])
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].endswith(" originals without a document")
    assert printed[1].split()[0] == printed[0].split()[0] != "0"
    assert printed[2] == "1 unfinished uploads removed"


def _files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


@pytest.mark.parametrize("process", ["api", "worker", "serve"])
async def test_a_bucket_that_is_missing_ends_the_start(
    process: str, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blobs = s3_server.settings("start/")
    assert blobs.access_key_id is not None
    assert blobs.secret_access_key is not None
    for name, value in {
        "ENGINE": "s3", "ENDPOINT": s3_server.endpoint, "BUCKET": "no-such-bucket",
        "ACCESS_KEY_ID": blobs.access_key_id, "SECRET_ACCESS_KEY": blobs.secret_access_key.get_secret_value(),
    }.items():  # fmt: skip
        monkeypatch.setenv(f"BLOBS__{name}", value)
    if process == "serve":
        for name in ("DATABASE__ENGINE", "CACHE__ENGINE"):
            monkeypatch.setenv(name, "embedded")
    assert await command(process) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line == (
        f"partywall: BLOBS__BUCKET: {s3_server.endpoint} has no bucket no-such-bucket: create it, or correct the name"
    )

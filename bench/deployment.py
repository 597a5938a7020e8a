"""A temporary deployment: engines with durable settings and a migrated database."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import pin_tree
from partywall.adapters.embedded import EmbeddedPostgres, EmbeddedValkey, open_home
from partywall.core.db.migrate import migrate


@contextmanager
def throwaway() -> Iterator[Path]:
    """A temporary directory that the engines' account may traverse; its subdirectory `data` is the data directory."""
    directory = Path(tempfile.mkdtemp(prefix="pw-bench-"))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        if (directory / "data").is_dir():
            open_home(directory / "data").remove()
        shutil.rmtree(directory)


@dataclass(frozen=True, slots=True)
class Deployment:
    directory: Path
    environment: dict[str, str]
    superuser_url: str
    valkey: EmbeddedValkey
    postgres_pid: int


@asynccontextmanager
async def open_deployment(core: int) -> AsyncIterator[Deployment]:
    """Engines pinned to `core`, in a temporary directory."""
    with throwaway() as directory:
        data = directory / "data"
        async with EmbeddedPostgres(data) as postgres, EmbeddedValkey(data) as valkey:
            for engine in (postgres, valkey):
                assert engine.pid is not None
                pin_tree(engine.pid, core)
            await migrate(postgres.owner_url, postgres.runtime_url)
            environment = {
                "DATA_DIR": str(data),
                "DATABASE__ENGINE": "embedded",
                "DATABASE__URL": postgres.runtime_url,
                "CACHE__ENGINE": "embedded",
                "CACHE__URL": valkey.url,
                "ACCOUNTS__ACCESS_TOKEN_TTL": "PT4H",
                "ACCOUNTS__ATTEMPTS_PER_MINUTE": "100000",
                "LOG__FORMAT": "json",
            }
            assert postgres.pid is not None
            yield Deployment(directory, environment, postgres.superuser_url, valkey, postgres.pid)

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final, Self

PACKAGED = Path(__file__).parents[1] / "_migrations"
CHECKOUT = Path(__file__).parents[3] / "migrations"
# With it, the API and the worker import their programs at once but wait for a line on standard input.
START_SIGNAL_FLAG: Final = "--when-told"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """Options of `partywall serve`. `program` is called with `api`, `worker` and `migrate`.

    `mail` is shown as the destination of mails, `public_url` is the API's public address if it differs from the served
    one, `warning` is printed first. Started as root, the children run as a system user: it becomes the owner of
    `given`, files of an earlier start; it writes to the directories `written`, reads `read`, and gets
    `account_environment` too. PostgreSQL accepts at least `connections`. A child that does not answer for
    `answers_within` seconds is killed. With `creates_secret_key`, the data directory gets a secret key if it has none.
    `feature_migrations` are the directories of installed features by the names of their version tables.
    """

    data_dir: Path = Path(".data")
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str | None = None
    mail: str | None = None
    warning: str | None = None
    creates_secret_key: bool = False
    given: tuple[Path, ...] = ()
    written: tuple[Path, ...] = ()
    read: tuple[Path, ...] = ()
    program: tuple[str, ...] = (sys.executable, "-m", "partywall")
    migrations: Path = (PACKAGED if PACKAGED.is_dir() else CHECKOUT) / "versions"
    feature_migrations: Mapping[str, Path] = field(default_factory=dict)
    # lint: allow environ - passed to the children, not read here
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    account_environment: Mapping[str, str] = field(default_factory=dict)
    connections: int = 0
    postgres_settings: Mapping[str, str] = field(default_factory=dict)
    answers_within: float = 45.0
    stop_seconds: float = 15.0
    stop_with_parent: bool = False

    def as_json(self) -> bytes:
        return json.dumps({each.name: getattr(self, each.name) for each in fields(self)}, default=_plain).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Raises ValueError or TypeError if `as_json` did not write it."""
        given = json.loads(text)
        for name in ("data_dir", "migrations"):
            given[name] = Path(given[name])
        for name in ("given", "written", "read"):
            given[name] = tuple(map(Path, given[name]))
        directories = {table: Path(directory) for table, directory in given["feature_migrations"].items()}
        return cls(**{**given, "program": tuple(given["program"]), "feature_migrations": directories})

    @property
    def version_tables(self) -> dict[str, Path]:
        return {"alembic_version": self.migrations, **self.feature_migrations}

    @property
    def base_url(self) -> str:
        host = "localhost" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104 - compared, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def _plain(value: object) -> str | dict[str, object]:
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)

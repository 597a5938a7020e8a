from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PACKAGED = Path(__file__).parents[1] / "_migrations"
CHECKOUT = Path(__file__).parents[3] / "migrations"
# The API and the worker then read their programs at once, and begin when a line comes on standard input.
START_SIGNAL_FLAG: Final = "--when-told"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What `partywall serve` was asked to run. `program` is called with `api`, `worker` and `migrate`.

    `mail` says where mails go, `public_url` where people reach the API, if not at the address that is served, `warning`
    what the operator should know first. Started as root, the children run as a system user: `given` are files and
    directories of an earlier start that become its own, `written` directories that it writes to, `read` what else it
    needs. PostgreSQL takes so many `connections` at least. A child that does not answer for `answers_within` seconds is
    killed. `prepare` makes, as whoever has started it, what all of them share.
    """

    data_dir: Path = Path(".data")
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str | None = None
    mail: str | None = None
    warning: str | None = None
    prepare: Callable[[], object] = lambda: None
    given: tuple[Path, ...] = ()
    written: tuple[Path, ...] = ()
    read: tuple[Path, ...] = ()
    program: tuple[str, ...] = (sys.executable, "-m", "partywall")
    migrations: Path = (PACKAGED if PACKAGED.is_dir() else CHECKOUT) / "versions"
    # lint: allow environ - the children inherit it: the supervisor reads nothing from it
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    connections: int = 0
    postgres_settings: Mapping[str, str] = field(default_factory=dict)
    answers_within: float = 45.0
    stop_seconds: float = 15.0
    stop_with_parent: bool = False

    @property
    def base_url(self) -> str:
        host = "localhost" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104 - compared, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

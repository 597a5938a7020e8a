from __future__ import annotations

import os
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final

import typer

from partywall.commands.configuration import load_settings
from partywall.commands.directories import require_authorities, require_directories
from partywall.commands.feature_process import checked_migrations
from partywall.commands.ocr import require_ocr
from partywall.commands.paths import given_path, listening_host
from partywall.core.db.constants import LONG_READS
from partywall.core.lazy import Lazy, lazy
from partywall.settings import DatabaseSettings, Settings
from partywall.settings.base import DOTENV, DOTENV_INHERITED, inheritable
from partywall.supervisor.options import ServeOptions
from partywall.supervisor.program import execute

app = typer.Typer()

# Imports much that a start does not need otherwise.
REQUIRE_BLOBS: Final[Lazy[Callable[[Settings], None]]] = lazy("partywall.commands.preconditions:require_blobs")
# A blocked child logs its stack and ends itself at its limit; if it cannot, it is killed after this factor.
KILL_FACTOR: Final = 1.5


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.", callback=listening_host)] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port of the API.")] = 8000,
    data_dir: Annotated[
        Path, typer.Option(envvar="DATA_DIR", help="The directory for all data.", parser=given_path)
    ] = Path(".data"),
    stop_with_parent: Annotated[
        bool, typer.Option("--stop-with-parent", help="Stop when the process that started this one ends.")
    ] = False,
) -> None:
    """Run everything on this machine: PostgreSQL, Valkey, API and worker."""
    # Reject what the API would reject, before anything is created or started.
    settings = load_settings(
        {"data_dir": data_dir, "database": {"engine": "embedded"}, "cache": {"engine": "embedded"}}
    )
    migrations = checked_migrations(settings)
    require_authorities(settings)
    require_directories(settings, make=False)
    require_ocr(settings)
    if settings.blobs.engine == "s3":
        REQUIRE_BLOBS.load()(settings)
    public_url = settings.http.public_url
    options = ServeOptions(
        data_dir=data_dir,
        host=host,
        port=port,
        public_url=None if public_url is None else str(public_url),
        mail=_mail_target(settings),
        warning=None if _is_loopback(host) else _exposure(host, settings),
        creates_secret_key=settings.secret_key is None,
        given=(settings.data_dir / "secret.key", settings.data_dir / "models", *_own_directories(settings)),
        written=_written(settings),
        read=tuple(filter(None, (*_authorities(settings), settings.data_dir / "models"))),
        environment=inheritable(os.environ),
        # It cannot read `.env`.
        account_environment={DOTENV: DOTENV_INHERITED},
        feature_migrations=migrations,
        connections=_connections(settings.database),
        answers_within=KILL_FACTOR * settings.processes.loop_timeout.total_seconds(),
        stop_with_parent=stop_with_parent,
    )
    execute(options)


def _connections(database: DatabaseSettings) -> int:
    """Connections for the pools of API and worker, and some for listening, operators and PostgreSQL itself."""
    pools = database.pool_size + database.pool_overflow + database.pool_size * 3 // 2 + LONG_READS
    return 2 * pools + 24


def _written(settings: Settings) -> tuple[Path, ...]:
    return settings.blob_directory, settings.mail_directory, settings.spool_directory


def _authorities(settings: Settings) -> tuple[Path | None, ...]:
    return settings.mail.ca_file, settings.outgoing.ca_file, settings.blobs.ca_file


def _own_directories(settings: Settings) -> list[Path]:
    """Directories inside the data directory; the operator sets the owner of others."""
    data_dir, kept = settings.data_dir.absolute(), _written(settings)
    return [path for path in kept if path.absolute().is_relative_to(data_dir) and path.absolute() != data_dir]


def _mail_target(settings: Settings) -> str:
    if settings.mail.engine == "smtp":
        return f"by {settings.mail.host}"
    return f"{settings.mail_directory.resolve()} (as files; nothing is sent)"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _exposure(host: str, settings: Settings) -> str:
    """Returns a one-line warning about what other machines can reach."""
    registration = {
        "open": "anyone may register (ACCOUNTS__REGISTRATION=open)",
        "invite": "invited addresses may register",
        "closed": "nobody may register",
    }[settings.accounts.registration]
    docs = "/docs is served" if settings.serves_docs else "/docs is not served"
    return (
        f"warning: listening on {host or 'every address'}, which other machines can reach over plain HTTP:"
        f" passwords and tokens can be intercepted; {registration}; {docs}."
        " To serve other people, put a TLS proxy in front and listen on 127.0.0.1"
    )

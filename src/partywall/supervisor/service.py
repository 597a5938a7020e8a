"""The account that runs the API, the worker and the migrations: not root, even if root started `serve`."""

from __future__ import annotations

import compileall
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from partywall.adapters.embedded import EngineError
from partywall.adapters.embedded.account import ACCOUNT_NAME, Account
from partywall.adapters.embedded.ownership import hand_over, make_private
from partywall.core.secret_key_file import kept_secret_key
from partywall.supervisor.options import ServeOptions

_PACKAGE: Final = Path(__file__).parents[1]
_FIRST_PORT_FOR_ALL: Final = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


@dataclass(frozen=True, slots=True)
class Service:
    """`reach`: paths that the account needs although directories above may be closed to it.

    `account_environment`: variables that only the account gets.
    """

    account: Account | None
    reach: tuple[Path, ...] = ()
    account_environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def prepared(cls, options: ServeOptions, account: Account | None) -> Service:
        """Makes the account the owner of what the children write. Raises EngineError if it cannot serve."""
        if options.creates_secret_key:
            kept_secret_key(options.data_dir)
        if account is None:
            return cls(None)
        _require_port(options.port)
        # The children cannot write bytecode caches, and would compile again at each start.
        compileall.compile_dir(_PACKAGE, quiet=2)
        for path in options.given:
            hand_over(path, account)
        for path in options.written:
            make_private(path, account)
        return cls(account, tuple(dict.fromkeys(_needed(options, account))), options.account_environment)

    def environment(self, inherited: Mapping[str, str], data_dir: Path) -> dict[str, str]:
        """The children's environment. The account has no home."""
        if self.account is None:
            return dict(inherited)
        own = {"HOME": str(data_dir), "USER": ACCOUNT_NAME, "LOGNAME": ACCOUNT_NAME}
        return {**inherited, **own, **self.account_environment}


def _require_port(port: int) -> None:
    try:
        first = int(_FIRST_PORT_FOR_ALL.read_text())
    except (OSError, ValueError):
        first = 1024
    if port < first:
        raise EngineError(
            f"port {port} is reserved for root, but the API runs as the system user {ACCOUNT_NAME}:"
            f" choose {first} or higher with --port, and put a proxy in front"
        )


def _needed(options: ServeOptions, account: Account) -> Iterator[Path]:
    """Python, its import paths and what the options name; each with its own and its resolved path."""
    imported = (Path(each) for each in (sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path) if each)
    migrations = (options.migrations.parent, *options.feature_migrations.values())
    for path in _existing([*imported, Path.cwd(), *migrations, *options.read]):
        if account.may_read(path) if path.is_dir() else True:
            yield path
    yield from _existing([options.data_dir, *options.written])


def _existing(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.exists():
            yield path.absolute()
            yield path.resolve()

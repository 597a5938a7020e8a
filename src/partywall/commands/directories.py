"""Checks the files and directories of the settings before anything starts."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

from partywall.commands.usage_error import UsageError
from partywall.core.git_ignore import keep_out_of_git
from partywall.core.system_errors import explained
from partywall.settings import Settings


def require_authorities(settings: Settings) -> None:
    """Checks that the CA files contain certificates. Raises UsageError."""
    for variable, path in (
        ("MAIL__CA_FILE", settings.mail.ca_file),
        ("OUTGOING__CA_FILE", settings.outgoing.ca_file),
        ("BLOBS__CA_FILE", settings.blobs.ca_file),
    ):
        if path is not None:
            _require_certificates(variable, path)


def require_directories(settings: Settings, *, make: bool) -> None:
    """Checks that each path to write to is or can become a directory. Raises UsageError.

    With `make`, creates it and checks that this process may write to it.
    """
    for variable, path in _written(settings):
        nearest = next(each for each in (path, *path.absolute().parents) if each.exists())
        if not nearest.is_dir():
            raise UsageError(f"{variable}: {nearest}: not a directory")
        if make:
            _make(variable, path)


def _written(settings: Settings) -> Iterator[tuple[str, Path]]:
    yield "DATA_DIR", settings.data_dir
    if settings.blobs.engine == "directory":
        yield "BLOBS__DIRECTORY", settings.blob_directory
    yield "HTTP__SPOOL_DIRECTORY", settings.spool_directory
    if settings.mail.engine != "smtp":
        yield "MAIL__DIRECTORY", settings.mail_directory


def _make(variable: str, path: Path) -> None:
    is_new_home = variable == "DATA_DIR" and not path.exists()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{variable}: {explained(error)}") from None
    if is_new_home:
        keep_out_of_git(path)
    if variable != "DATA_DIR" and not os.access(path, os.W_OK | os.X_OK):  # children of `serve` only traverse it
        raise UsageError(f"{variable}: {path}: not writable")


def _require_certificates(variable: str, path: Path) -> None:
    try:
        if not path.is_file():
            raise UsageError(f"{variable}: {path}: no such file")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise UsageError(f"{variable}: {path}: contains no PEM certificates") from None
    except OSError as error:
        raise UsageError(f"{variable}: {path}: {(error.strerror or str(error)).lower()}") from None

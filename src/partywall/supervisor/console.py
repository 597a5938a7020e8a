from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO


def report(line: str) -> None:
    _write(f"partywall: {line}", sys.stdout)


def complain(line: str) -> None:
    _write(f"partywall: {line}", sys.stderr)


def announce(base_url: str, data_dir: Path, engines: Path, mail: str | None) -> None:
    """Print the addresses and the next commands."""
    program = _program()
    elsewhere = "" if engines == data_dir else f" (database: {engines}, which its system user can access)"
    lines = (
        "",
        f"  Partywall is ready: {base_url}",
        "",
        f"    API   {base_url}/api/v1",
        f"    Docs  {base_url}/docs",
        f"    Data  {data_dir}{elsewhere}",
        *([] if mail is None else [f"    Mail  {mail}"]),
        "",
        "  Next, in another terminal:",
        "",
        f"    {program} register --server {base_url}",
        f"    {program} import FOLDER --project NAME",
        "",
        "  Ctrl-C stops everything.",
        "",
    )
    _write("\n".join(lines), sys.stdout)


def _program() -> str:
    script = Path(sys.executable).parent / "partywall"
    return str(script.relative_to(Path.cwd())) if script.is_relative_to(Path.cwd()) else str(script)


def _write(text: str, stream: TextIO) -> None:
    with suppress(OSError):  # keep running with a closed terminal or a full disk
        stream.write(f"{text}\n")
        stream.flush()

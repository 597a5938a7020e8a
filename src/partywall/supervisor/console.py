from __future__ import annotations

import sys
from pathlib import Path


def report(line: str) -> None:
    sys.stdout.write(f"partywall: {line}\n")
    sys.stdout.flush()


def complain(line: str) -> None:
    sys.stderr.write(f"partywall: {line}\n")
    sys.stderr.flush()


def announce(base_url: str, data_dir: Path) -> None:
    """Where everything is, and what to type next."""
    program = _program()
    lines = (
        "",
        f"  Partywall is ready: {base_url}",
        "",
        f"    API   {base_url}/api/v1",
        f"    Docs  {base_url}/docs",
        f"    Data  {data_dir}",
        "",
        "  Next, in another terminal:",
        "",
        f"    {program} users create you@example.com",
        f"    {program} login {base_url}",
        f"    {program} import FOLDER --project NAME",
        "",
        "  Ctrl-C stops everything.",
        "",
    )
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _program() -> str:
    script = Path(sys.executable).parent / "partywall"
    return str(script.relative_to(Path.cwd())) if script.is_relative_to(Path.cwd()) else str(script)

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from partywall.checks.files import NoPackageError
from partywall.checks.package import read_package
from partywall.checks.rules import IDS, check_package, explanation
from partywall.commands.paths import given_path
from partywall.commands.terminal import print_line, print_lines
from partywall.commands.usage_error import UsageError

app = typer.Typer()


@app.command()
def check(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="The directory with pyproject.toml.", parser=given_path)
    ] = Path(),
    explain: Annotated[str | None, typer.Option(metavar="ID", help="Explain a rule, such as PW012.")] = None,
) -> int:
    """Check the package with a feature in DIR, without importing it. Exit code 1 if it breaks a rule."""
    if explain is not None:
        if explain.upper() not in IDS:
            raise UsageError(f"there is no rule {explain!a}: the rules are {IDS[0]} to {IDS[-1]}")
        print_lines(explanation(explain.upper()).rstrip())
        return 0
    try:
        findings = check_package(read_package(directory))
    except NoPackageError as error:
        raise UsageError(str(error)) from None
    except RecursionError:
        raise UsageError(f"{directory} contains code that is nested too deeply to be checked: simplify it") from None
    for finding in findings:
        print_line(str(finding))
    if findings:
        print_line(
            f"{len(findings)} found; `partywall check --explain {findings[0].rule}` explains the first", err=True
        )
    return 1 if findings else 0

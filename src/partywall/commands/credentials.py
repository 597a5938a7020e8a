"""Asks for addresses, passwords and codes. None is read from an argument, which every user of the machine can see."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Final

import typer

from partywall.commands.terminal import password_line
from partywall.commands.usage_error import UsageError

PASSWORD_VARIABLE: Final = "PARTYWALL_PASSWORD"  # noqa: S105 - a name
NEW_PASSWORD_VARIABLE: Final = "PARTYWALL_NEW_PASSWORD"  # noqa: S105 - a name

EmailOption = Annotated[str | None, typer.Option("--email", help="Your e-mail address; prompted for if omitted.")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
Stdin = Annotated[bool, typer.Option("--stdin", help="Read what is asked for from standard input, each on its line.")]


def email_of(given: str | None) -> str:
    if given is not None:
        return given.strip()
    _require_terminal("use --email")
    answer: str = typer.prompt("E-mail")
    return answer.strip()


def password(from_stdin: bool, *, confirm: bool = False) -> str:
    return _secret("Password", from_stdin, PASSWORD_VARIABLE, "--password-stdin", confirm=confirm)


def current_password(from_stdin: bool) -> str:
    return _secret("Current password", from_stdin, PASSWORD_VARIABLE, "--stdin")


def new_password(from_stdin: bool) -> str:
    return _secret("New password", from_stdin, NEW_PASSWORD_VARIABLE, "--stdin", confirm=True)


def code(from_stdin: bool) -> str:
    """The token of a mail."""
    if from_stdin:
        return _given(password_line(), "the code on standard input")
    _require_terminal("use --stdin")
    answer: str = typer.prompt("Code from the mail", hide_input=True)
    return answer.strip()


def _secret(asked: str, from_stdin: bool, variable: str, option: str, *, confirm: bool = False) -> str:
    if from_stdin:
        return _given(password_line(), "the password in standard input")
    given = os.environ.get(variable)
    if given is not None:
        return _given(given, f"the password in {variable}")
    _require_terminal(f"set {variable} or use {option}")
    answer: str = typer.prompt(asked, hide_input=True, confirmation_prompt=confirm)
    return answer


def _given(secret: str, what: str) -> str:
    if not secret:
        raise UsageError(f"{what} is empty")
    return secret


def _require_terminal(instead: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"there is no terminal for a prompt: {instead}")

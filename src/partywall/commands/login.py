from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from partywall.client import accounts
from partywall.client.errors import ClientError, LoginFailed
from partywall.commands.connection import ServerOption, failures, server_url, store
from partywall.commands.terminal import password_line, print_line
from partywall.commands.usage_error import UsageError
from partywall.core.system_errors import explained

PASSWORD_VARIABLE = "PARTYWALL_PASSWORD"  # noqa: S105 - a name

app = typer.Typer()

EmailOption = Annotated[str | None, typer.Option("--email", help="Your e-mail address; prompted for if omitted.")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command()
def register(
    email: EmailOption = None,
    name: Annotated[str | None, typer.Option("--name", help="Your full name.")] = None,
    server: ServerOption = None,
    password_stdin: PasswordStdin = False,
) -> int:
    """Create an account and log in, unless the address must be confirmed first."""
    with failures():
        url, address = server_url(server), _email(email)
        secret = _password(password_stdin, confirm=True)
        accounts.register(url, address, secret, name)
        try:
            accounts.log_in(store(), url, address, secret)
        except LoginFailed:
            print_line(f"accepted: confirm {address} as described in the mail, then run {_login(url)}")
            return 0
        except (ClientError, OSError) as error:
            reason = explained(error) if isinstance(error, OSError) else error
            print_line(f"registered, but not logged in ({reason}): run {_login(url)}", err=True)
            return 1
    print_line(f"registered and logged in to {url} as {address}")
    return 0


@app.command()
def login(
    email: EmailOption = None,
    server: ServerOption = None,
    password_stdin: PasswordStdin = False,
) -> None:
    """Log in; stores the tokens in your configuration directory."""
    with failures():
        url, address = server_url(server), _email(email)
        accounts.log_in(store(), url, address, _password(password_stdin))
    print_line(f"logged in to {url} as {address}")


@app.command()
def logout(server: ServerOption = None) -> None:
    """End the session on the server and delete it here."""
    with failures():
        url = server_url(server)
        known = accounts.log_out(store(), url)
    print_line(f"logged out of {url}" if known else f"not logged in to {url}")


def _login(url: str) -> str:
    return f"`partywall login --server {url}`"


def _email(given: str | None) -> str:
    if given is not None:
        return given.strip()
    _require_terminal("use --email")
    answer: str = typer.prompt("E-mail")
    return answer.strip()


def _password(from_stdin: bool, *, confirm: bool = False) -> str:
    """Never read from an argument, which every user of the machine can see."""
    if from_stdin:
        return _given(password_line(), "standard input")
    given = os.environ.get(PASSWORD_VARIABLE)
    if given is not None:
        return _given(given, PASSWORD_VARIABLE)
    _require_terminal(f"set {PASSWORD_VARIABLE} or use --password-stdin")
    answer: str = typer.prompt("Password", hide_input=True, confirmation_prompt=confirm)
    return answer


def _given(password: str, where: str) -> str:
    if not password:
        raise UsageError(f"the password in {where} is empty")
    return password


def _require_terminal(instead: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"there is no terminal for a prompt: {instead}")

from __future__ import annotations

from typing import Annotated

import typer

from partywall.client import accounts
from partywall.client.errors import ClientError, LoginFailed
from partywall.commands.connection import ServerOption, failures, server_url, store
from partywall.commands.credentials import EmailOption, PasswordStdin, email_of, password
from partywall.commands.terminal import print_line
from partywall.core.system_errors import explained

app = typer.Typer()


@app.command()
def register(
    email: EmailOption = None,
    name: Annotated[str | None, typer.Option("--name", help="Your full name.")] = None,
    server: ServerOption = None,
    password_stdin: PasswordStdin = False,
) -> int:
    """Create an account and log in, unless the address must be confirmed first."""
    with failures():
        url, address = server_url(server), email_of(email)
        secret = password(password_stdin, confirm=True)
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
        url, address = server_url(server), email_of(email)
        accounts.log_in(store(), url, address, password(password_stdin))
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

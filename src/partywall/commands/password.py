from __future__ import annotations

import typer

from partywall.client import accounts
from partywall.client.errors import ClientError
from partywall.commands.connection import ServerOption, failures, server_url, store
from partywall.commands.credentials import EmailOption, Stdin, code, current_password, email_of, new_password
from partywall.commands.terminal import print_line

app = typer.Typer(name="password", help="Your password: reset it, change it, or lift a lock.")


@app.command()
def forgot(email: EmailOption = None, server: ServerOption = None) -> None:
    """Have a code mailed to you, which `partywall password reset` takes."""
    with failures():
        url, address = server_url(server), email_of(email)
        accounts.request_password_reset(url, address)
    print_line(f"if {address} has an account, a mail is on its way: then run `partywall password reset`")


@app.command()
def reset(server: ServerOption = None, stdin: Stdin = False) -> None:
    """Choose a new password with the code from the mail; every login of the account ends."""
    with failures():
        url, token = server_url(server), code(stdin)
        accounts.reset_password(url, token, new_password(stdin))
    print_line("changed the password: run `partywall login`")


@app.command()
def change(server: ServerOption = None, stdin: Stdin = False) -> int:
    """Choose a new password and log in again; every other login of the account ends."""
    with failures():
        url = server_url(server)
        former, chosen = current_password(stdin), new_password(stdin)
        address = accounts.change_password(store(), url, former, chosen)
        try:
            accounts.log_in(store(), url, address, chosen)
        except ClientError as error:
            print_line(f"changed the password, but not logged in ({error}): run `partywall login`", err=True)
            return 1
    print_line(f"changed the password of {address}; other logins have ended")
    return 0


@app.command()
def unlock(server: ServerOption = None, stdin: Stdin = False) -> None:
    """Lift the lock that wrong passwords have caused, with the code from the mail."""
    with failures():
        accounts.unlock(server_url(server), code(stdin))
    print_line("unlocked: run `partywall login`")

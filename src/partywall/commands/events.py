from __future__ import annotations

import re
from typing import Annotated, Final

import typer

from partywall.client import events as streams
from partywall.client.sse import ServerEvent
from partywall.commands.connection import ProjectOption, ServerOption, connect
from partywall.commands.terminal import print_json, print_line
from partywall.commands.usage_error import UsageError

app = typer.Typer()

LAST_EVENT: Final = 10**18 - 1
_TYPE: Final = re.compile(r"[a-z][a-z_]*\.(?:\*|[a-z][a-z_]*)")


def _patterns(given: str | None) -> str | None:
    if given is not None and not all(map(_TYPE.fullmatch, given.split(","))):
        raise UsageError("--types: use patterns such as document.* or document.created, separated by commas")
    return given


@app.command()
def events(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print new events until Ctrl-C.")] = False,
    after: Annotated[
        int | None, typer.Option("--after", min=0, max=LAST_EVENT, help="Start after the event with this number.")
    ] = None,
    types: Annotated[
        str | None, typer.Option("--types", help="Such as `document.*,project.*`.", callback=_patterns)
    ] = None,
    project: ProjectOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as the server sent it.")] = False,
    server: ServerOption = None,
) -> None:
    """Print a project's stored events, or with --follow new ones."""
    with connect(server) as connection:
        where = connection.project(project)
        if follow:
            print_line(f"following {where.name!r}; Ctrl-C to stop", err=True)
            stream = streams.follow(connection.api, where.id, None if after is None else str(after), types, _waiting)
        else:
            stream = streams.stored(connection.api, where.id, str(after or 0), types)
        shown = False
        for event in stream:
            print_json(event.data) if as_json else print_line(_line(event))
            shown = True
        if not shown:
            print_line(f"no matching event is stored in {where.name!r}", err=True)


def _waiting(why: str, seconds: float) -> None:
    print_line(f"{why}; reconnecting in {seconds:g} s", err=True)


def _line(raw: ServerEvent) -> str:
    event = streams.read_event(raw)
    if event is None:
        return f"{raw.id:>6}  {raw.type}"
    subject = f"  {event.subject.kind} {event.subject.id}" if event.subject else ""
    details = "".join(f"  {name}={value}" for name, value in event.data.items() if not isinstance(value, dict | list))
    return f"{event.id:>6}  {event.at}  {event.type}{subject}{details}"

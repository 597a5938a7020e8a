from __future__ import annotations

from typing import Annotated

import typer

from partywall.client.projects import create_project, list_projects
from partywall.commands.connection import ServerOption, connect
from partywall.commands.terminal import print_line

app = typer.Typer(name="projects", help="Your projects.")


@app.command("list")
def list_(server: ServerOption = None) -> None:
    """List the projects that you are a member of; `*` marks the one used last."""
    with connect(server) as connection:
        last = None if connection.last_used is None else connection.last_used.id
        found = list_projects(connection.api)
        for project in found:
            print_line(f"{'*' if project.id == last else ' '} {project.id}  {project.role or '':6}  {project.name}")
    if not found:
        print_line("no project yet: `partywall projects create NAME`", err=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Its name.")],
    language: Annotated[
        str | None, typer.Option(help="Of documents and queries that do not tell theirs, such as `de`.")
    ] = None,
    server: ServerOption = None,
) -> None:
    """Create a project and use it by default."""
    with connect(server) as connection:
        project = create_project(connection.api, name, language)
        print_line(project.id)
        connection.remember(project)

"""A watched folder: what changes there is imported when it has been quiet, and what is gone is deleted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from partywall.client.api import Api, RetryBudget
from partywall.client.document_import import FileFilter, FolderWatch, known_documents
from partywall.client.errors import ApiError
from partywall.commands.connection import Connection
from partywall.commands.folder_import import FolderImport, ImportOptions
from partywall.commands.import_watch import LOOK_SECONDS, Watching, watch_folder
from tests.client.conftest import Person
from tests.client.proxy import Proxy
from tests.server import free_port


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "watched"
    made.mkdir()
    return made


def ready(watch: FolderWatch) -> list[str]:
    look = watch.look()
    watch.note_imported(look, look.ready)
    return [path.name for path in look.ready]


def test_a_file_is_ready_when_it_has_not_changed_between_two_looks(folder: Path) -> None:
    watch = FolderWatch(folder, FileFilter())
    (folder / "a.md").write_text("half")
    assert ready(watch) == []
    (folder / "a.md").write_text("half and whole")
    assert ready(watch) == []
    assert ready(watch) == ["a.md"]
    assert ready(watch) == []


def test_a_change_is_found_even_if_the_size_stays(folder: Path) -> None:
    watch = FolderWatch(folder, FileFilter())
    (folder / "a.md").write_text("old")
    assert [ready(watch), ready(watch)] == [[], ["a.md"]]
    (folder / "a.md").write_text("new")
    os.utime(folder / "a.md", (1, 1))
    assert [ready(watch), ready(watch)] == [[], ["a.md"]]


def test_a_file_that_is_replaced_by_renaming_another_is_changed(folder: Path) -> None:
    """As editors save: the new file may have the size and time of the old one."""
    watch = FolderWatch(folder, FileFilter())
    for name in ("a.md", "a.md.tmp"):
        (folder / name).write_text("x")
        os.utime(folder / name, (1, 1))
    assert [ready(watch), ready(watch)] == [[], ["a.md"]]
    (folder / "a.md.tmp").rename(folder / "a.md")
    assert [ready(watch), ready(watch)] == [[], ["a.md"]]


def test_what_programs_leave_beside_open_files_is_no_document(folder: Path) -> None:
    watch = FolderWatch(folder, FileFilter())
    for name in ("~$report.docx", ".~lock.report.odt#", ".a.md.swp", "a.md~", "4913", "b.pdf.part", "b.pdf.crdownload"):
        (folder / name).write_text("x")
    (folder / "link.md").symlink_to(folder / "4913")
    assert [ready(watch), ready(watch)] == [[], []]


class Follower:
    """A watched folder and its project."""

    def __init__(self, api: Api, project: str, folder: Path, *, delete: bool = True) -> None:
        self.folder = folder
        self.run = FolderImport(Connection(api, None), project, ImportOptions(folder, delete=delete, yes=True))
        self.watching = Watching(self.run, FolderWatch(folder, FileFilter()))

    def steps(self, number: int = 2) -> None:
        for _ in range(number):
            self.watching.step()

    def ids(self) -> dict[str, str]:
        found = known_documents(self.run.connection.api, self.run.project_id or "")
        return {name: each.id for name, each in found.items()}


@pytest.fixture
def follower(person: Person, api: Api, folder: Path) -> Follower:
    return Follower(api, person.project(), folder)


def test_changes_are_followed(follower: Follower, capsys: pytest.CaptureFixture[str]) -> None:
    follower.steps()
    (follower.folder / "a.md").write_text("# A")
    (follower.folder / "p.html").write_text("<p>page</p>")
    follower.steps()
    before = follower.ids()
    assert set(before) == {"a.md", "p.html"}
    (follower.folder / "a.md").rename(follower.folder / "b.md")
    (follower.folder / "p.html").rename(follower.folder / "q.html")
    follower.steps()
    assert follower.ids() == {"b.md": before["a.md"], "q.html": before["p.html"]}
    (follower.folder / "b.md").unlink()
    follower.steps()
    assert set(follower.ids()) == {"q.html"}
    printed = capsys.readouterr().out
    assert {"renamed: b.md, q.html", "renamed: q.html, b.md"} & set(printed.splitlines())
    assert "deleted: b.md" in printed


def test_a_file_that_is_away_for_a_moment_keeps_its_document(follower: Follower) -> None:
    for name in ("a.md", "b.md"):
        (follower.folder / name).write_text(name)
    follower.steps()
    before = follower.ids()
    (follower.folder / "a.md").unlink()
    follower.steps(1)
    (follower.folder / "a.md").write_text("saved again")
    follower.steps()
    assert follower.ids() == before


def test_an_empty_folder_deletes_nothing(follower: Follower, capsys: pytest.CaptureFixture[str]) -> None:
    (follower.folder / "a.md").write_text("x")
    follower.steps()
    (follower.folder / "a.md").unlink()
    follower.steps(3)
    follower.folder.rmdir()
    follower.steps(3)
    assert set(follower.ids()) == {"a.md"}
    assert capsys.readouterr().err.count("empty or not mounted") == 1


def test_it_goes_on_when_the_server_is_back(
    person: Person, proxy: Proxy, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.md").write_text("x")
    pauses: list[float] = []
    with person.api(0.0, proxy.url) as api:
        follower = Follower(api, person.project(), folder)

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                proxy.posts = 0
            if len(pauses) == 8:
                proxy.posts = None
            if len(pauses) == 12:
                assert set(follower.ids()) == {"a.md", "b.md"}
                raise KeyboardInterrupt
            if len(pauses) == 4:
                (folder / "b.md").write_text("y")

        with pytest.raises(KeyboardInterrupt):
            watch_folder(follower.run, FolderWatch(folder, FileFilter()), None, pause)
    assert max(pauses) > LOOK_SECONDS
    assert "trying again in" in capsys.readouterr().err


def test_it_ends_if_the_project_is_gone(person: Person, api: Api, folder: Path) -> None:
    (folder / "a.md").write_text("x")
    run = FolderImport(Connection(api, None), "01890000-0000-7000-8000-000000000000", ImportOptions(folder))
    with pytest.raises(ApiError):
        watch_folder(run, FolderWatch(folder, FileFilter()), None, lambda _seconds: None)


def test_a_server_that_cannot_be_reached_is_not_the_end(folder: Path) -> None:
    (folder / "a.md").write_text("x")
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 4:
            raise KeyboardInterrupt

    with Api(f"http://127.0.0.1:{free_port()}", retry_budget=RetryBudget(0.0)) as api:
        run = FolderImport(Connection(api, None), "any", ImportOptions(folder))
        with pytest.raises(KeyboardInterrupt):
            watch_folder(run, FolderWatch(folder, FileFilter()), None, pause)
    assert pauses == [1.0, 1.0, 2.0, 4.0]

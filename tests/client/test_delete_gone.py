"""`partywall import --delete`: what it deletes, whom it asks, and when it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from partywall.cli import run
from partywall.client.api import Api
from partywall.client.document_import import known_documents
from tests.client.conftest import PASSWORD, Person


class Folder:
    """A folder that has been imported into a project, beside a document that has not."""

    def __init__(self, api: Api, project: str, path: Path) -> None:
        self.api, self.project, self.path = api, project, path
        path.mkdir()
        for name in ("a.md", "b.md"):
            (path / name).write_text(name)
        assert self.imported() == 0
        api.create(f"/projects/{project}/documents", {"title": "t", "content": "x", "external_id": "made.md"})

    def imported(self, *options: str) -> int:
        return run(["import", str(self.path), "--project", self.project, "--no-wait", *options])

    @property
    def names(self) -> set[str]:
        return set(known_documents(self.api, self.project))


@pytest.fixture
def folder(person: Person, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PARTYWALL_PASSWORD", PASSWORD)
    assert run(["login", "--email", person.email, "--server", person.server]) == 0
    return Folder(api, person.project(), tmp_path / "folder")


def test_what_is_gone_is_deleted_and_nothing_else(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    (folder.path / "a.md").unlink()
    assert folder.imported() == 0
    assert folder.imported("--delete", "--dry-run") == 0
    assert folder.names == {"a.md", "b.md", "made.md"}
    assert "would delete: a.md\n" in capsys.readouterr().err
    assert folder.imported("--delete", "--yes") == 0
    assert folder.names == {"b.md", "made.md"}
    assert capsys.readouterr().out == "0 sent, 0 changed, 1 unchanged, 0 failed, 1 deleted\n"


def test_files_that_are_not_imported_any_more_are_not_gone(folder: Folder) -> None:
    assert folder.imported("--delete", "--yes", "--exclude", "a.md") == 0
    assert folder.names == {"a.md", "b.md", "made.md"}


def test_without_a_terminal_it_refuses_to_ask(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    (folder.path / "a.md").unlink()
    assert folder.imported("--delete") == 2
    assert folder.names == {"a.md", "b.md", "made.md"}
    assert "use --yes" in capsys.readouterr().err


def test_only_a_person_can_confirm_that_everything_is_gone(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder of a disk that is not mounted is empty."""
    for name in ("a.md", "b.md"):
        (folder.path / name).unlink()
    assert folder.imported("--delete", "--yes") == 2
    assert folder.names == {"a.md", "b.md", "made.md"}
    printed = capsys.readouterr().err
    assert "mounted?" in printed
    assert "All 2 documents" in printed


@pytest.mark.parametrize("options", [["--delete", "--yes"], ["--watch"]])
def test_one_file_has_nothing_that_is_gone(folder: Folder, options: list[str]) -> None:
    folder.path /= "a.md"
    assert folder.imported(*options) == 2
    assert folder.names == {"a.md", "b.md", "made.md"}

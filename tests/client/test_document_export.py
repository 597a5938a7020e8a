"""A project is exported to a folder, and created again from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import JsonValue

from partywall.cli import run
from partywall.client.api import Api
from partywall.client.document_export import MANIFEST, Export, ExportCounts, ForeignFolder, Restore, read_entries
from partywall.client.document_export.manifest import UNFINISHED
from partywall.client.document_import import Import, count_documents, documents_in, known_documents
from partywall.client.document_import.existing import list_documents
from partywall.client.projects import Project
from tests.client.conftest import PASSWORD, Person
from tests.client.proxy import Proxy


@dataclass
class Exporter:
    api: Api
    project: str
    folder: Path

    def run(self, folder: Path | None = None) -> tuple[int, int]:
        run = Export(self.api, Project(id=self.project, name="P"), folder or self.folder, lambda _counts: None)
        run.run()
        assert run.counts.failed == []
        return run.counts.written, run.counts.unchanged

    def create(self, title: str, content: str, external_id: str | None, **more: JsonValue) -> str:
        body = {"title": title, "content": content, "external_id": external_id, **more}
        return str(json.loads(self.api.create(f"/projects/{self.project}/documents", body))["id"])

    def change(self, id_: str, **changes: JsonValue) -> None:
        self.api.patch(f"/projects/{self.project}/documents/{id_}", changes)

    def restore(self, project: str, *, replace: bool = False) -> tuple[int, int, int, list[str]]:
        run = Restore(self.api, project, self.folder, replace=replace)
        run.run(read_entries(self.folder))
        run.run_postponed()
        run.finish_all(run.unfinished)
        counts = run.counts
        return counts.sent, counts.changed, counts.unchanged, [f"{each.name}: {each.reason}" for each in counts.failed]


@pytest.fixture
def exporter(person: Person, api: Api, tmp_path: Path) -> Exporter:
    return Exporter(api, person.project(), tmp_path / "export")


def fill(exporter: Exporter, tmp_path: Path) -> None:
    """Texts, uploaded files, versions, hostile names, and documents without an external id."""
    note = exporter.create(
        "First title", "one", "notes/a.md", metadata={"year": 2026}, status="published", media_type="text/markdown"
    )
    exporter.change(note, content="two")
    exporter.change(note, title="Second title", content="three \u00fc")
    exporter.create("Outside", "kept inside", "../../outside.txt")
    exporter.create("Upper", "upper case", "README.md")
    exporter.create("Lower", "lower case", "readme.md")
    exporter.create("No id / at all", "nameless", None)
    files = tmp_path / "files"
    files.mkdir()
    (files / "page.html").write_text("<title>A page</title><p>Of text</p>")
    (files / "edited.html").write_text("<title>Edited</title><p>Before</p>")
    (files / "replaced.html").write_text("<title>Replaced</title><p>The first file</p>")
    known = known_documents(exporter.api, exporter.project)
    importer = Import(exporter.api, exporter.project, known, lambda _counts, _failure: None, root="files#1")
    importer.run(
        each for name in ("page.html", "edited.html", "replaced.html") for each in documents_in(files, files / name)
    )
    exporter.change(importer.known["edited.html"].id, content="After", status="published")
    for number in (2, 3):
        (files / "replaced.html").write_text(f"<title>Replaced</title><p>File {number}</p>")
        importer.seen.clear()
        importer.run(documents_in(files, files / "replaced.html"))


def comparable(folder: Path) -> dict[str, object]:
    """All files; of the manifest what no server sets."""
    files: dict[str, object] = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    entries = [json.loads(line) for line in (folder / MANIFEST).read_text().splitlines()[1:]]
    for entry in entries:
        del entry["origin"]
        for version in entry["versions"]:
            del version["created_at"]
    return {**files, MANIFEST: entries}


def test_an_export_is_imported_and_exported_again_without_a_difference(
    exporter: Exporter, person: Person, tmp_path: Path
) -> None:
    fill(exporter, tmp_path)
    assert exporter.run() == (8, 0)
    assert (exporter.folder / "files" / "notes" / "a.md").read_text() == "three ü"
    assert (exporter.folder / "texts" / "notes" / "a.md~" / "1.txt").read_text() == "one"
    assert (exporter.folder / "files" / "page.html").read_bytes() == (tmp_path / "files" / "page.html").read_bytes()
    assert not (tmp_path / "outside.txt").exists()
    other = person.project("Another")
    assert exporter.restore(other) == (8, 0, 0, [])
    again = Exporter(exporter.api, other, tmp_path / "again")
    again.run()
    assert comparable(again.folder) == comparable(exporter.folder)
    assert exporter.restore(other) == (0, 0, 8, [])


def test_a_repeated_export_writes_what_has_changed(exporter: Exporter) -> None:
    first, second = exporter.create("A", "a", "a.txt"), exporter.create("B", "b", "b/b.txt")
    assert exporter.run() == (2, 0)
    assert exporter.run() == (0, 2)
    exporter.change(first, content="changed")
    exporter.api.delete(f"/projects/{exporter.project}/documents/{second}")
    exporter.create("C", "c", "c.txt")
    assert exporter.run() == (2, 0)
    found = {path.relative_to(exporter.folder).as_posix() for path in exporter.folder.rglob("*") if path.is_file()}
    assert found == {MANIFEST, "files/a.txt", "texts/a.txt~/1.txt", "files/c.txt"}
    assert (exporter.folder / "files" / "a.txt").read_text() == "changed"


def test_an_interrupted_export_goes_on(exporter: Exporter) -> None:
    for number in range(5):
        exporter.create("T", "text", f"{number}.txt")

    def interrupt(counts: ExportCounts) -> None:
        if counts.done == 3:
            raise KeyboardInterrupt

    run = Export(exporter.api, Project(id=exporter.project, name="P"), exporter.folder, interrupt)
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert not (exporter.folder / MANIFEST).exists()
    with (exporter.folder / UNFINISHED).open("ab") as file:
        file.write(b'{"name": "cut o')
    assert exporter.run() == (2, 3)
    assert not (exporter.folder / UNFINISHED).exists()
    entries = list(read_entries(exporter.folder))
    assert [each.name for each in entries] == [f"{number}.txt" for number in range(5)]


def test_downloads_survive_a_bad_network(exporter: Exporter, person: Person, proxy: Proxy) -> None:
    exporter.create("T", "text", "a.txt")
    with person.api(20.0, proxy.url) as api:
        proxy.lose = 2
        assert Exporter(api, exporter.project, exporter.folder).run() == (1, 0)
    assert (exporter.folder / "files" / "a.txt").read_text() == "text"


@pytest.mark.parametrize("name", ["notes.txt", MANIFEST, UNFINISHED])
def test_a_folder_of_something_else_is_left_alone(exporter: Exporter, name: str) -> None:
    exporter.folder.mkdir()
    (exporter.folder / name).write_text("mine")
    with pytest.raises(ForeignFolder):
        exporter.run()
    assert (exporter.folder / name).read_text() == "mine"


def test_an_export_of_another_project_is_left_alone(exporter: Exporter, person: Person) -> None:
    exporter.create("T", "text", "a.txt")
    exporter.run()
    with pytest.raises(ForeignFolder, match="the project 'P'"):
        Exporter(exporter.api, person.project("Another"), exporter.folder).run()


def test_a_link_does_not_lead_out_of_the_export(exporter: Exporter, tmp_path: Path) -> None:
    exporter.create("T", "text", "deep/deeper/a.txt")
    (tmp_path / "elsewhere").mkdir()
    (exporter.folder / "files").mkdir(parents=True)
    (exporter.folder / MANIFEST).write_text(
        json.dumps({"partywall_export": 1, "project_id": exporter.project, "project_name": "P"}) + "\n"
    )
    (exporter.folder / "files" / "deep").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ForeignFolder, match="leaves the folder"):
        exporter.run()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_command_does_not_advise_to_repeat_what_a_link_stops(
    exporter: Exporter,
    person: Person,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PARTYWALL_PASSWORD", PASSWORD)
    assert run(["login", "--email", person.email, "--server", person.server]) == 0
    exporter.create("T", "text", "a.txt")
    assert exporter.run() == (1, 0)
    exporter.create("T", "text", "deep/a.txt")
    link = exporter.folder / "files" / "deep"
    link.symlink_to(tmp_path)
    assert run(["export", str(exporter.folder), "--project", exporter.project]) == 1
    assert capsys.readouterr().err.endswith(
        f"stopped: {link} leaves the folder of the export by a link: remove the link\n"
    )


def test_no_hidden_file_is_written_or_left(exporter: Exporter, person: Person) -> None:
    exporter.create("T", "[core] fsmonitor = command", ".git/config")
    assert exporter.run() == (1, 0)
    [visible] = (exporter.folder / "files").iterdir()
    assert visible.name == "_git"
    [former] = visible.iterdir()
    manifest = exporter.folder / MANIFEST
    manifest.write_text(manifest.read_text().replace(f"_git/{former.name}", ".git/config"))
    (exporter.folder / "files" / ".git").mkdir()
    former.rename(exporter.folder / "files" / ".git" / "config")
    assert exporter.run() == (1, 0)
    assert [each.name for each in (exporter.folder / "files").iterdir()] == ["_git"]
    other = person.project("Another")
    exporter.restore(other)
    assert [each.external_id for each in list_documents(exporter.api, other)] == [".git/config"]


def test_a_hostile_manifest_reads_nothing_outside(exporter: Exporter, person: Person, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    for number in range(5):
        exporter.create("T", "text", f"{number}.txt")
    exporter.run()
    (exporter.folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    header, *lines = (exporter.folder / MANIFEST).read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    paths = ["../secret.txt", str(tmp_path / "secret.txt"), "link.txt", "files", "files/\0.txt"]
    for entry, path in zip(entries, paths, strict=True):
        entry["versions"][0]["text"] = path
    lines = [json.dumps(entry) for entry in entries] + ["{}", "not json"]
    (exporter.folder / MANIFEST).write_text("\n".join([header, *lines]))
    other = person.project("Another")
    *counts, failures = exporter.restore(other)
    assert counts == [0, 0, 0]
    assert len(failures) == 7
    assert list(list_documents(exporter.api, other)) == []


def test_a_filter_chooses_what_the_folder_has(exporter: Exporter) -> None:
    for year in (2024, 2025):
        exporter.create(f"Of {year}", "text", f"{year}.txt", metadata={"year": year})
    exporter.run()
    only = json.dumps({"field": "metadata.year", "op": "eq", "value": 2025})
    project = Project(id=exporter.project, name="P")
    run = Export(exporter.api, project, exporter.folder, lambda _counts: None, only)
    run.run()
    assert (run.counts.written, run.counts.unchanged) == (0, 1)
    assert [each.name for each in (exporter.folder / "files").iterdir()] == ["2025.txt"]
    assert count_documents(exporter.api, exporter.project, only) == 1


def test_other_documents_are_not_overwritten_unless_it_is_told_to(exporter: Exporter, person: Person) -> None:
    note = exporter.create("T", "one", "a.txt", metadata={"kept": 1})
    exporter.change(note, content="two")
    exporter.run()
    other = Exporter(exporter.api, person.project("Another"), exporter.folder)
    other.create("Theirs", "theirs", "a.txt", metadata={"lost": 1})
    *counts, failures = exporter.restore(other.project)
    assert (counts, failures) == (
        [0, 0, 0],
        ["a.txt: the project has another document with this external id: use --replace"],
    )
    assert exporter.restore(other.project, replace=True) == (0, 1, 0, [])
    found = known_documents(exporter.api, other.project)["a.txt"]
    assert (found.title, found.metadata) == ("T", {"kept": 1})
    assert exporter.restore(other.project) == (0, 0, 1, [])


def test_an_interrupted_import_adds_the_missing_versions(exporter: Exporter, person: Person) -> None:
    note = exporter.create("T", "one", "a.txt", metadata={"year": 2026})
    exporter.change(note, content="two")
    exporter.change(note, content="three")
    exporter.run()
    other = Exporter(exporter.api, person.project("Another"), exporter.folder)
    half = other.create("T", "one", "a.txt", metadata={"year": 2026})
    other.change(half, content="two")
    assert exporter.restore(other.project) == (0, 1, 0, [])
    found = known_documents(exporter.api, other.project)["a.txt"]
    assert (found.id, found.version) == (half, 3)


def test_files_in_archives_are_left_to_the_server_at_first(exporter: Exporter, person: Person) -> None:
    exporter.create("T", "text", "a.zip/b.txt", metadata={"archive": "a.zip", "archive_path": "b.txt"})
    exporter.create("T", "text", "c.txt", metadata={"archive_path": "c.txt"})
    exporter.run()
    other = person.project("Another")
    run = Restore(exporter.api, other, exporter.folder)
    run.run(read_entries(exporter.folder))
    assert set(known_documents(exporter.api, other)) == {"c.txt"}
    run.run_postponed()
    assert set(known_documents(exporter.api, other)) == {"a.zip/b.txt", "c.txt"}
    assert run.counts.sent == 2

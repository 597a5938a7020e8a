"""Documents whose uploaded file has not been read, or cannot be, keep their text in an export and its import."""

from __future__ import annotations

import json
from io import BytesIO

import pytest

from partywall.client.document_export import MANIFEST, read_entries
from partywall.client.document_export.manifest import Entry
from partywall.client.document_import.existing import list_documents
from partywall.formats.file_kinds import media_type_by_name
from tests.client.conftest import Person
from tests.client.test_document_export import Exporter, exporter
from tests.features.documents.made_files import FILES

__all__ = ["exporter"]  # a fixture


def send_file(to: Exporter) -> None:
    name, data = "password.xlsx", (FILES / "password.xlsx").read_bytes()
    files = {"file": (name, BytesIO(data), media_type_by_name(name) or "")}
    to.api.upload(f"/projects/{to.project}/documents/upload", {"external_id": "one", "title": "One"}, files)


@pytest.mark.parametrize("versions", [1, 2])
@pytest.mark.parametrize("reason", [None, "password_protected: The file needs a password."])
def test_the_text_of_a_document_whose_file_is_unread_goes_across(
    exporter: Exporter, person: Person, versions: int, reason: str | None
) -> None:
    """No worker runs here, so that no text comes of the file."""
    note = exporter.create("One", "first", "one", media_type="text/markdown")
    if versions == 2:
        exporter.change(note, content="second")
    send_file(exporter)
    exporter.run()
    manifest = exporter.folder / MANIFEST
    if reason is not None:
        manifest.write_text(manifest.read_text().replace('"index_error": null', f'"index_error": {json.dumps(reason)}'))
        assert reason in manifest.read_text()
    other = Exporter(exporter.api, person.project("Another"), exporter.folder.parent / "again")
    assert exporter.restore(other.project) == (1, 0, 0, [])
    [found] = list_documents(other.api, other.project)
    [source] = list_documents(exporter.api, exporter.project)
    compared = ("title", "content_sha256", "media_type")
    assert [getattr(found, name) for name in compared] == [getattr(source, name) for name in compared]
    assert (found.index_error or "").startswith("reading:") is (reason is not None), "its file stays in the queue"
    other.run()
    texts = [each.text for entry in read_entries(other.folder) if isinstance(entry, Entry) for each in entry.versions]
    assert [(other.folder / text).read_text() for text in texts] == ["first", "second"][:versions]
    assert exporter.restore(other.project) == (0, 0, 1, [])


def test_the_text_of_a_document_whose_file_is_unread_is_added_later(exporter: Exporter, person: Person) -> None:
    exporter.create("One", "first", "one")
    send_file(exporter)
    exporter.run()
    other = Exporter(exporter.api, person.project("Another"), exporter.folder)
    send_file(other)
    assert exporter.restore(other.project) == (0, 0, 1, [])
    [found], [source] = list_documents(other.api, other.project), list_documents(exporter.api, exporter.project)
    assert found.content_sha256 == source.content_sha256

"""Writes a project's documents to a folder, from which `partywall import` creates them again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from partywall.client.api import Api
from partywall.client.document_export.document_files import DRAFTS, DocumentChanged, DocumentExport, ForeignFolder
from partywall.client.document_export.manifest import (
    FORMAT,
    MANIFEST,
    UNFINISHED,
    Entry,
    Header,
    UnfinishedManifest,
    is_export,
    read_entries,
    read_header,
)
from partywall.client.document_export.names import FileNames, is_inert
from partywall.client.document_import.existing import ExistingDocument, list_documents
from partywall.client.document_import.threads import RequestThreads
from partywall.client.errors import ApiError
from partywall.client.projects import Project

HOPELESS: Final = {401, 403}


@dataclass(slots=True)
class ExportCounts:
    written: int = 0
    unchanged: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def done(self) -> int:
        return self.written + self.unchanged + len(self.failed)


@dataclass(slots=True)
class Export:
    """`notify` is called for every document. Documents that are in the folder already, unchanged, stay.

    With `filter_`, the JSON of a filter, the folder has the documents that match, and no others.
    """

    api: Api
    project: Project
    folder: Path
    notify: Callable[[ExportCounts], None]
    filter_: str | None = None
    counts: ExportCounts = field(default_factory=ExportCounts)
    _names: FileNames = field(default_factory=FileNames)
    _ids: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Raises ForeignFolder if the folder is neither empty nor an export of this project."""
        self._check_folder()
        (self.folder / DRAFTS).mkdir(parents=True, exist_ok=True)
        header = Header(partywall_export=FORMAT, project_id=self.project.id, project_name=self.project.name)
        manifest = UnfinishedManifest.open(self.folder, header)
        try:
            former = self._former_paths(manifest)
            with RequestThreads[Entry](self.api) as threads:
                for document in list_documents(self.api, self.project.id, filter_=self.filter_):
                    self._export(document, manifest, threads)
                threads.drain()
            ids = [id_ for id_ in self._ids if manifest.find(id_) is not None]
            kept = {path for id_ in ids if (entry := manifest.find(id_)) is not None for path in entry.paths}
            manifest.finish(header, ids)
        finally:
            manifest.close()
            shutil.rmtree(self.folder / DRAFTS, ignore_errors=True)
        for path in former - kept:
            self._remove(path)

    def _check_folder(self) -> None:
        if not self.folder.exists():
            return
        if not self.folder.is_dir():
            raise ForeignFolder(f"{self.folder} is not a folder")
        header = read_header(self.folder / UNFINISHED) or read_header(self.folder / MANIFEST)
        if header is None and any(each.name != DRAFTS for each in self.folder.iterdir()):
            raise ForeignFolder(f"{self.folder} is neither empty nor an export: choose another folder")
        if header is not None and header.project_id != self.project.id:
            raise ForeignFolder(f"{self.folder} is an export of the project {header.project_name!r}")

    def _former_paths(self, manifest: UnfinishedManifest) -> set[str]:
        """The files of all former entries, whose names stay taken."""
        complete = read_entries(self.folder) if is_export(self.folder) else ()
        paths = {path for entry in complete if isinstance(entry, Entry) for path in entry.paths}
        for entry in manifest.entries():
            self._names.take(entry.name)
            paths |= entry.paths
        return paths

    def _export(self, document: ExistingDocument, manifest: UnfinishedManifest, threads: RequestThreads[Entry]) -> None:
        self._ids.append(document.id)
        former = manifest.find(document.id)
        if former is not None and not is_inert(former.name):
            former = None
        if former is not None and self._is_current(former, document):
            self.counts.unchanged += 1
            self.notify(self.counts)
            return
        same_name = former is not None and former.external_id == document.external_id
        if former is not None and same_name and (document.external_id or former.title == document.title):
            name = former.name
        else:
            name = self._names.give(document.external_id, document.title, document.media_type)
        request = partial(DocumentExport(self.api, self.project.id, self.folder, name).run, document)
        threads.submit(request, partial(self._ended, document, manifest))

    def _is_current(self, former: Entry, document: ExistingDocument) -> bool:
        """The time changes without the revision when the server reads an uploaded file."""
        before = former.origin.revision, former.origin.updated_at, former.index_error
        same = before == (document.revision, document.updated_at, document.lasting_error)
        return same and all((self.folder / path).is_file() for path in former.paths)

    def _ended(self, document: ExistingDocument, manifest: UnfinishedManifest, answer: Future[Entry]) -> None:
        try:
            manifest.append(answer.result())
            self.counts.written += 1
        except ApiError as error:
            if error.status in HOPELESS:
                raise
            if error.status != 404:  # deleted meanwhile
                self.counts.failed.append((document.external_id or document.title, str(error)))
        except DocumentChanged as error:
            self.counts.failed.append((document.external_id or document.title, str(error)))
        self.notify(self.counts)

    def _remove(self, path: str) -> None:
        """Removes a file that no document has any more, and its folders if they are empty."""
        file = self.folder / path
        if not file.parent.resolve().is_relative_to(self.folder.resolve()):
            return
        file.unlink(missing_ok=True)
        for parent in file.relative_to(self.folder).parents[:-2]:
            try:
                (self.folder / parent).rmdir()
            except OSError:
                return

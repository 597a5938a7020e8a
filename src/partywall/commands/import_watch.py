"""Follows a folder after its import: `partywall import --watch`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NoReturn

from partywall.client.document_import import FolderWatch, IndexProgress, Look, Outcome
from partywall.client.errors import ApiError, ClientError, NotLoggedIn
from partywall.commands.folder_import import FolderImport, Known
from partywall.commands.import_report import ImportResults, explained, listed
from partywall.commands.terminal import print_line

LOOK_SECONDS: Final = 1.0
# A look at a large folder may take this part of the time.
SHARE_OF_TIME: Final = 0.05
LONGEST_DELAY: Final = 60.0
# The user must log in, get a right, or choose another project.
HOPELESS: Final = {401, 403, 404}


def watch_folder(
    run: FolderImport, folder: FolderWatch, imported: Look | None, pause: Callable[[float], object] | None = None
) -> NoReturn:
    """Ends by KeyboardInterrupt, or by an error that does not pass. The files of `imported` are imported already."""
    watching = Watching(run, folder, is_current=imported is not None)
    if imported is not None:
        folder.note_imported(imported, imported.found.files)
        watching.note_waiting(run.results)
    wait, delay = pause or threading.Event().wait, 0.0
    print_line(f"watching {run.options.source}; Ctrl-C to stop", err=True)
    while True:
        wait(max(delay, watching.seconds))
        try:
            watching.step()
            delay = 0.0
        except ClientError as error:
            if isinstance(error, NotLoggedIn) or (isinstance(error, ApiError) and error.status in HOPELESS):
                raise
            delay = min(max(2 * delay, LOOK_SECONDS), LONGEST_DELAY)
            watching.is_current = False
            print_line(f"{error}; trying again in {delay:.0f} s", err=True)


@dataclass(slots=True)
class Watching:
    """`is_current`: the known documents are those of the server. `seconds`: how long to wait before the next look."""

    run: FolderImport
    folder: FolderWatch
    is_current: bool = True
    seconds: float = LOOK_SECONDS
    _gone: Known = field(default_factory=dict)
    _waiting: dict[str, str] = field(default_factory=dict)
    _said_empty: bool = False

    def step(self) -> None:
        """Imports the files that have changed, if they are not changing any more, and deletes what is gone."""
        started = time.monotonic()
        look = self.folder.look()
        self.seconds = max(LOOK_SECONDS, (time.monotonic() - started) / SHARE_OF_TIME)
        if not self.is_current:
            self.run.refresh()
            self.is_current = True
        gone = self._surely_gone(look)
        if look.ready or gone:
            self.run.results = results = ImportResults()
            self.run.run(look.ready, gone)
            _print_changes(results)
            self.note_waiting(results)
            if results.counts.unavailable:
                raise ClientError(f"the server did not take {results.counts.unavailable} of the files")
            self.folder.note_imported(look, look.ready)
        self._look_at_reading()

    def _surely_gone(self, look: Look) -> Known:
        """What was gone at the last look, too: programs that save a file may remove it for a moment."""
        gone = self.run.gone(look.found)
        before, self._gone = self._gone, gone
        if gone and not look.found.files:
            if not self._said_empty:
                print_line(f"{self.run.options.source} is empty or not mounted: nothing is deleted", err=True)
            self._said_empty = True
            return {}
        self._said_empty = False
        return {name: each for name, each in gone.items() if name in before}

    def note_waiting(self, results: ImportResults) -> None:
        imported = results.imported
        self._waiting |= {each.document.id: each.place for each in imported if each.document.awaits_reading}

    def _look_at_reading(self) -> None:
        kept = {each.id for each in self.run.known.values()} if self._waiting else set()
        self._waiting = {id_: place for id_, place in self._waiting.items() if id_ in kept}
        if not self._waiting:
            return
        progress = IndexProgress(self.run.connection.api, self.run.project_id or "", self._waiting)
        progress.look()
        if len(progress.pending) == len(self._waiting):
            return
        failed = {each.id: each for each in progress.unread()}
        read = [place for id_, place in self._waiting.items() if id_ not in progress.pending and id_ not in failed]
        if read:
            print_line(f"read: {listed(read)}")
        for each in failed.values():
            print_line(f"not read: {each.place}: {each.code or 'not indexed'}: {explained(each)}")
        self._waiting = {id_: self._waiting[id_] for id_ in progress.pending if id_ not in failed}


def _print_changes(results: ImportResults) -> None:
    for outcome in (Outcome.SENT, Outcome.CHANGED, Outcome.RENAMED):
        names = [each.place for each in results.imported if each.outcome is outcome]
        if names:
            print_line(f"{outcome}: {listed(names)}")
    if results.counts.deleted:
        print_line(f"deleted: {listed(results.counts.deleted)}")
    for refused in results.counts.failed:
        print_line(f"refused: {refused.name}: {refused.reason}")

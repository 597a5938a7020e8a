"""Word of every project's news, for those in a process who work for all projects and look before they enter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from partywall.core.cache_keys import NEWS
from partywall.core.events.listener import Listener

_ID_LENGTH: Final = 16
# Projects in one message. A longer one is none of ours, and nothing is lost with it: followers poll as well.
MOST: Final = 1000

# Told of the projects that have news; of none where some may have gone unheard before.
type Follower = Callable[[Collection[UUID]], None]


def headlines(projects: Collection[UUID]) -> bytes:
    """A message as it goes over the channel, of at most `MOST` projects."""
    return b"".join(project.bytes for project in projects)


class Newswire:
    """Says which projects have news, and nothing of what it is. A word may be missed: whoever follows polls as well."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._followers: set[Follower] = set()

    @contextmanager
    def followed_by(self, told: Follower) -> Iterator[None]:
        if not self._followers:
            self._listener.listen(NEWS, self._hear)
        self._followers.add(told)
        try:
            yield
        finally:
            self._followers.discard(told)
            if not self._followers:
                self._listener.forget(NEWS)

    def _hear(self, message: bytes) -> None:
        """A message that is none of ours tells nobody anything; an empty one comes when the subscription begins.

        What it says is not believed: whoever is told looks for itself, and enters each project as ever.
        """
        if len(message) % _ID_LENGTH or len(message) > MOST * _ID_LENGTH:
            return
        projects = {UUID(bytes=message[at : at + _ID_LENGTH]) for at in range(0, len(message), _ID_LENGTH)}
        for told in self._followers:
            told(projects)

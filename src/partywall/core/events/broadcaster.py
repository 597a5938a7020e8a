"""Word of every project's news, for those in a process who work for all projects and look before they enter."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Final
from uuid import UUID

from partywall.core.cache_keys import PROJECT_EVENTS
from partywall.core.events.listener import Followers, Listener

_ID_LENGTH: Final = 16
# Projects in one message. A longer one is none of ours, and nothing is lost with it: followers poll as well.
MOST: Final = 1000

# Told of the projects that have news; of none where some may have gone unheard before.
type Follower = Callable[[Collection[UUID]], None]


def project_ids_message(projects: Collection[UUID]) -> bytes:
    """A message as it goes over the channel, of at most `MOST` projects."""
    return b"".join(project.bytes for project in projects)


class Broadcaster:
    """Says which projects have news, and nothing of what it is. A word may be missed: whoever follows polls as well."""

    def __init__(self, listener: Listener) -> None:
        self._followers = Followers(listener, PROJECT_EVENTS)

    def followed_by(self, told: Follower) -> AbstractContextManager[None]:
        """A message that is none of ours tells nobody anything; an empty one comes when the subscription begins.

        What it says is not believed: whoever is told looks for itself, and enters each project as ever.
        """

        def hear(message: bytes) -> None:
            if len(message) % _ID_LENGTH == 0 and len(message) <= MOST * _ID_LENGTH:
                told({UUID(bytes=message[at : at + _ID_LENGTH]) for at in range(0, len(message), _ID_LENGTH)})

        return self._followers.including(hear)

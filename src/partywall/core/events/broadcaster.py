"""Tells a process which projects have new events, for workers that follow all projects."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Final
from uuid import UUID

from partywall.core.cache_keys import PROJECT_EVENTS
from partywall.core.events.listener import Followers, Listener

_ID_LENGTH: Final = 16
# Projects in one message. Longer messages are not ours and are ignored; followers also poll.
MOST: Final = 1000

# Called with the projects that have new events; with none if messages may have been missed.
type Follower = Callable[[Collection[UUID]], None]


def project_ids_message(projects: Collection[UUID]) -> bytes:
    """The channel's message for at most `MOST` projects."""
    return b"".join(project.bytes for project in projects)


class Broadcaster:
    """Passes on which projects have new events. Delivery is best effort; followers must also poll."""

    def __init__(self, listener: Listener) -> None:
        self._followers = Followers(listener, PROJECT_EVENTS)

    def followed_by(self, told: Follower) -> AbstractContextManager[None]:
        """Calls `told` with each message's projects; with none when the subscription begins. Ignores invalid messages.

        Messages are not trusted: followers read the projects' events with the usual access checks.
        """

        def hear(message: bytes) -> None:
            if len(message) % _ID_LENGTH == 0 and len(message) <= MOST * _ID_LENGTH:
                told({UUID(bytes=message[at : at + _ID_LENGTH]) for at in range(0, len(message), _ID_LENGTH)})

        return self._followers.including(hear)

"""Whether the event loop of a child answers: by what it writes to the socket that is its standard input."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from partywall.core.watchdog import BEAT

MOST_READ: Final = 65_536
# For reading the program, waiting for the engines and opening what a child needs; and for ending.
STARTS_WITHIN: Final = 300.0


@dataclass(slots=True)
class Silence:
    """How long a child has been silent, counted in looks that are at least `pause` seconds apart.

    So the time in which the machine was suspended, or the supervisor itself was stopped, does not count.
    """

    answers_within: float
    pause: float
    _looks: int = field(default=0, init=False)
    _at_work: bool = field(default=False, init=False)

    def is_too_long(self, heard: bytes) -> bool:
        """With what has been `heard` since the last look. A child that has not begun, or is ending, has more time."""
        if heard:
            self._looks = 0
            self._at_work = heard.endswith(BEAT)
            return False
        self._looks += 1
        return self._looks * self.pause >= (self.answers_within if self._at_work else STARTS_WITHIN)


class Channel:
    """To one process: it is told to begin, and is heard from then on."""

    def __init__(self) -> None:
        self._ours, self.theirs = socket.socketpair()
        self._ours.setblocking(False)

    def send_start_signal(self) -> None:
        with suppress(OSError):  # whoever waits for the process sees that it has ended
            self._ours.send(b"\n")

    def heard(self) -> bytes:
        """Since the last time."""
        try:
            return self._ours.recv(MOST_READ)
        except OSError:
            return b""

    def close(self) -> None:
        self._ours.close()
        self.theirs.close()

"""Tells whether a child's event loop answers: the child writes to the socket that is its standard input."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from partywall.core.watchdog import BEAT

MOST_READ: Final = 65_536
# For imports, waiting for the engines and opening resources; also for stopping.
STARTS_WITHIN: Final = 300.0


@dataclass(slots=True)
class Silence:
    """How long a child has been silent, counted in polls that are at least `pause` seconds apart.

    Time in which the machine was suspended or the supervisor was stopped does not count.
    """

    answers_within: float
    pause: float
    _silent_polls: int = field(default=0, init=False)
    _beating: bool = field(default=False, init=False)

    def is_too_long(self, heard: bytes) -> bool:
        """Count a poll that returned `heard`. A child that is starting or stopping has more time."""
        if heard:
            self._silent_polls = 0
            self._beating = heard.endswith(BEAT)
            return False
        self._silent_polls += 1
        return self._silent_polls * self.pause >= (self.answers_within if self._beating else STARTS_WITHIN)


class Channel:
    """A socket pair with one child: carries the start signal to it and heartbeats back."""

    def __init__(self) -> None:
        self._ours, self.theirs = socket.socketpair()
        self._ours.setblocking(False)

    def send_start_signal(self) -> None:
        with suppress(OSError):  # `Child.keep` notices that it has ended
            self._ours.send(b"\n")

    def heard(self) -> bytes:
        """What the child has written since the last call."""
        try:
            return self._ours.recv(MOST_READ)
        except OSError:
            return b""

    def close(self) -> None:
        self._ours.close()
        self.theirs.close()

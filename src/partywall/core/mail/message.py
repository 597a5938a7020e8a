from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One mail to one address.

    `key` is the same for every attempt to send the same mail and becomes its Message-ID, so that a mail which a crash
    sends twice is recognised.
    """

    to: str
    subject: str
    text: str
    html: str
    key: str


# Between doubling pauses of at most five minutes: a server that is away for two hours loses no mail.
ATTEMPTS: Final = 32


class MailError(Exception):
    """The mail was not taken, and a later attempt may succeed. Says nothing of whom it was for."""


class MailRefused(MailError):
    """This mail will never be taken: its address or its content is refused for good."""


class Mailer(Protocol):
    """Hands mails over. One that was taken may still come to nothing: delivery is beyond this port."""

    async def send(self, message: Message) -> None:
        """Raises MailError, or MailRefused where trying again is pointless."""
        ...

    async def ping(self) -> None: ...

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One mail to one address.

    `key` is the same for every attempt to send the mail. It becomes the Message-ID, so that mail programs recognise a
    mail that a crash sent twice.
    """

    to: str
    subject: str
    text: str
    html: str
    key: str


# With pauses that double up to five minutes: a server that is unavailable for two hours loses no mail.
ATTEMPTS: Final = 32


class MailError(Exception):
    """The mail was not accepted; a later attempt may succeed. The text does not name the recipient."""


class MailRefused(MailError):
    """The mail will never be accepted: its address or its content is refused permanently."""


class Mailer(Protocol):
    """Hands mails over to a server or directory. An accepted mail may still not be delivered."""

    async def send(self, message: Message) -> None:
        """Raises MailError, or MailRefused if a retry cannot succeed."""
        ...

    async def ping(self) -> None: ...

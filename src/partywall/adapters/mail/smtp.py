from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from dataclasses import dataclass
from email.headerregistry import Address
from pathlib import Path
from typing import Final, Literal

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
)
from pydantic import SecretStr

from partywall.core.mail.message import MailError, MailRefused, Message
from partywall.core.mail.mime import Envelope, envelope, mailbox

_FRESH: Final = 60.0
# Seconds without new connections after the server did not answer, so that mails do not hold up the worker's other jobs.
_AWAY_FOR: Final = 10.0
_QUIT_SECONDS: Final = 2.0
_PERMANENT: Final = 500
_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}

type Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class SmtpOptions:
    """`timeout`, in seconds, covers one mail from connecting to the last answer. `ca_file` is PEM."""

    host: str
    sender: str
    port: int | None = None
    security: Security = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    timeout: float = 30.0


class SmtpMailer:
    """Opens a connection for each mail. Errors carry the server's code only, because its text may name the address."""

    def __init__(self, options: SmtpOptions) -> None:
        self._options = options
        self._sender: Address = mailbox(options.sender)
        self._tls = ssl.create_default_context(cafile=None if options.ca_file is None else str(options.ca_file))
        self._answered_at = float("-inf")
        self._away_until = float("-inf")

    async def send(self, message: Message) -> None:
        sealed = envelope(message, self._sender)
        if time.monotonic() < self._away_until:
            raise MailError("the mail server did not answer a moment ago")
        client = self._client(log_in=True)
        try:
            async with asyncio.timeout(self._options.timeout):
                await client.connect()
                await _hand_over(client, sealed)
        except (SMTPException, OSError) as error:
            if isinstance(error, OSError):
                client.close()
                self._away_until = time.monotonic() + _AWAY_FOR
            if isinstance(error, SMTPResponseException | SMTPRecipientsRefused):
                # lint: allow dropped-cause - a server's answer may quote the address and the links of the mail
                raise _translated(error) from None
            raise _translated(error) from error
        finally:
            await _leave(client)
        self._answered_at = time.monotonic()

    async def ping(self) -> None:
        """Connect to the server, unless it has answered within the last minute."""
        if time.monotonic() - self._answered_at > _FRESH:
            client = self._client(log_in=False)
            try:
                await client.connect()
            finally:
                await _leave(client)
            self._answered_at = time.monotonic()

    def _client(self, *, log_in: bool) -> SMTP:
        options = self._options
        given = log_in and options.username
        return SMTP(
            hostname=options.host,
            port=options.port or _PORTS[options.security],
            use_tls=options.security == "tls",
            start_tls=options.security == "starttls",
            tls_context=self._tls,
            username=options.username if given else None,
            password=options.password.get_secret_value() if given and options.password is not None else None,
            timeout=options.timeout,
        )


async def _hand_over(client: SMTP, sealed: Envelope) -> None:
    try:
        await client.send_message(sealed.mail, sender=sealed.sender, recipients=[sealed.recipient])
    except SMTPNotSupported as error:
        raise MailRefused("the server does not accept non-ASCII addresses") from error
    except ValueError:
        # lint: allow dropped-cause - it may quote a header, and the address in it
        raise MailRefused("the address cannot be sent over SMTP") from None


async def _leave(client: SMTP) -> None:
    """Close the connection with QUIT if possible. The mail's outcome is already known, so errors are ignored."""
    if client.is_connected:
        with contextlib.suppress(SMTPException, OSError):
            async with asyncio.timeout(_QUIT_SECONDS):
                await client.quit()
    client.close()


def _translated(error: SMTPException | OSError) -> MailError:
    """MailRefused if the server refuses the recipient or the content with 5xx, MailError otherwise.

    A refused login, sender or greeting is a configuration error: mails wait until the settings are fixed.
    """
    refusal = error.recipients[0] if isinstance(error, SMTPRecipientsRefused) else error
    if not isinstance(refusal, SMTPResponseException):
        return MailError(f"the mail server cannot be used: {str(error) or type(error).__name__}")
    about_this_mail = isinstance(error, SMTPRecipientsRefused | SMTPDataError)
    kind = MailRefused if about_this_mail and refusal.code >= _PERMANENT else MailError
    return kind(f"the mail server answered {refusal.code} ({type(refusal).__name__})")

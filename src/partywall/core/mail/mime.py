"""Encodes a message for the wire (RFC 5322), with the standard library's default policy."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from email.utils import format_datetime
from typing import Final

import idna

from partywall.core.clock import utc_now
from partywall.core.mail.message import MailRefused, Message

# Lines may have at most 998 bytes (RFC 5322, 2.1.1). Texts with longer or non-ASCII lines are sent quoted-printable.
_LONGEST_LINE: Final = 900
_LONGEST_MAILBOX: Final = 500  # the standard library's parsing time is quadratic in the length
# Begins an encoded word (RFC 2047): a reader would decode an address that contains one into another address.
ENCODED_WORD: Final = re.compile(r"=\?")


@dataclass(frozen=True, slots=True)
class Envelope:
    """A mail and its SMTP envelope addresses, whose domains are in ASCII."""

    sender: str
    recipient: str
    mail: EmailMessage


def mailbox(text: str) -> Address:
    """Parse `Partywall <noreply@example.com>` or a bare address; raises ValueError if it is not exactly one."""
    if not text.isprintable() or len(text) > _LONGEST_MAILBOX:
        raise ValueError(f"a mail address is one line of at most {_LONGEST_MAILBOX} characters")
    header = default.header_factory("From", text)
    [*found] = header.addresses
    if header.defects or len(found) != 1 or not found[0].domain:
        raise ValueError("not one mail address")
    return Address(found[0].display_name, found[0].username, _ascii_domain(found[0].domain))


def envelope(message: Message, sender: Address) -> Envelope:
    """Raises MailRefused for an address or a subject that is invalid in a header."""
    try:
        recipient = _recipient(message.to)
        mail = EmailMessage(default)
        mail["From"] = sender
        mail["To"] = recipient
        mail["Subject"] = ENCODED_WORD.sub("= ?", _printable(message.subject))
    except ValueError:
        # lint: allow dropped-cause - it quotes the address
        raise MailRefused("the address or the subject is not valid in a header") from None
    mail["Date"] = format_datetime(utc_now())
    mail["Message-ID"] = f"<{hashlib.sha256(message.key.encode()).hexdigest()[:40]}@{sender.domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text, cte=_encoding(message.text))
    mail.add_alternative(message.html, subtype="html", cte=_encoding(message.html))
    return Envelope(sender.addr_spec, recipient.addr_spec, mail)


def _recipient(address: str) -> Address:
    local, at, domain = _printable(address).rpartition("@")
    if not at or not local or " " in address or ENCODED_WORD.search(address):
        raise ValueError("not a mail address")
    return Address(username=local, domain=_ascii_domain(domain))


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a header may not contain unprintable characters")
    return text


def _ascii_domain(domain: str) -> str:
    """The ASCII form of a domain, which every server accepts. Raises ValueError (UnicodeError) if it has none."""
    return domain if domain.isascii() else idna.encode(domain, uts46=True).decode()


def _encoding(text: str) -> str:
    plain = text.isascii() and all(len(line) <= _LONGEST_LINE for line in text.splitlines())
    return "7bit" if plain else "quoted-printable"

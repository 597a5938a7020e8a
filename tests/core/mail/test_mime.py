from __future__ import annotations

from email import message_from_bytes
from email.policy import default
from typing import Final

import pytest

from partywall.core.mail.message import MailRefused, Message
from partywall.core.mail.mime import envelope, mailbox

SENDER: Final = mailbox("Partywall <us@example.com>")


def message(to: str = "ada@example.com", subject: str = "A subject") -> Message:
    return Message(to, subject, "text\n", "<p>html</p>\n", "key")


@pytest.mark.parametrize("to", ["ada@example.com", "a=b?c@example.com", "żółw@example.com", "o'neil+x@example.com"])
def test_what_is_read_from_a_header_is_what_was_written(to: str) -> None:
    read = message_from_bytes(envelope(message(to), SENDER).mail.as_bytes(), policy=default)
    assert read["To"].addresses[0].addr_spec == to


@pytest.mark.parametrize("to", ["=?utf-8?q?ada?=@example.com", "=?utf-8?b?YWRh?=@example.com"])
def test_an_address_that_changes_in_a_header_is_refused(to: str) -> None:
    with pytest.raises(MailRefused):
        envelope(message(to), SENDER)


def test_a_subject_survives_encoding() -> None:
    subject = "=?utf-8?q?http=3A//evil.example?= invites you"
    read = message_from_bytes(envelope(message(subject=subject), SENDER).mail.as_bytes(), policy=default)
    assert read["Subject"] == "= ?utf-8?q?http=3A//evil.example?= invites you"

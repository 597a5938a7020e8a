from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from partywall.adapters.mail.directory import DirectoryMailer
from partywall.core.mail.message import MailRefused, Message

MESSAGE = Message("../../ada@example.com", "A subject", "Token: " + "x" * 120 + "\n", "<p>Text.</p>\n", "job 1")


@pytest.fixture
def mailer(tmp_path: Path) -> DirectoryMailer:
    return DirectoryMailer(tmp_path / "mail", "Partywall <partywall@localhost>")


async def test_a_mail_is_a_file_for_its_owner_alone(mailer: DirectoryMailer) -> None:
    await mailer.send(MESSAGE)
    [path] = mailer.directory.iterdir()
    assert re.fullmatch(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{32}\.eml", path.name)
    assert (path.stat().st_mode & 0o777, mailer.directory.stat().st_mode & 0o777) == (0o600, 0o700)
    mail = message_from_bytes(path.read_bytes(), policy=default)
    assert (mail["To"], mail["Subject"]) == (MESSAGE.to, MESSAGE.subject)
    assert MESSAGE.text in path.read_text()


async def test_names_follow_the_time(mailer: DirectoryMailer) -> None:
    for number in range(3):
        await mailer.send(replace(MESSAGE, subject=f"Mail {number}"))
    subjects = [message_from_bytes(path.read_bytes())["Subject"] for path in sorted(mailer.directory.iterdir())]
    assert subjects == ["Mail 0", "Mail 1", "Mail 2"]


async def test_concurrent_mails_all_arrive_and_leave_no_temporary_file(mailer: DirectoryMailer) -> None:
    await asyncio.gather(*(mailer.send(MESSAGE) for _ in range(20)))
    assert len(list(mailer.directory.glob("*.eml"))) == len(list(mailer.directory.iterdir())) == 20


async def test_a_header_takes_one_line(mailer: DirectoryMailer) -> None:
    with pytest.raises(MailRefused):
        await mailer.send(replace(MESSAGE, subject="Hello\r\nBcc: eve@example.com"))
    assert not mailer.directory.exists()


async def test_a_ping_makes_the_directory(mailer: DirectoryMailer) -> None:
    await mailer.ping()
    assert mailer.directory.is_dir()

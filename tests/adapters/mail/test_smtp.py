from __future__ import annotations

import asyncio
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from partywall.adapters.mail import smtp
from partywall.adapters.mail.smtp import SmtpMailer, SmtpOptions
from partywall.core.mail.message import MailError, MailRefused, Message
from tests.adapters.mail.server import PASSWORD, USER, Certificates, Post, make_certificates, serving
from tests.server import free_port

MESSAGE = Message("ada@example.com", "A subject", "Text.\n", "<p>Text.</p>\n", "job 1")
LOCAL = SmtpOptions("127.0.0.1", "Partywall <partywall@example.com>", security="none", timeout=5)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def encrypted(port: int, certificates: Certificates, **changed: object) -> SmtpMailer:
    options = SmtpOptions(
        "localhost", "us@example.com", port, username=USER, password=SecretStr(PASSWORD), ca_file=certificates.ca,
        timeout=5,
    )  # fmt: skip
    return SmtpMailer(replace(options, **changed))  # type: ignore[arg-type]  # the fields that a test names


def bodies(mail: EmailMessage) -> list[str]:
    return [part.get_content().replace("\r\n", "\n") for part in mail.iter_parts()]


async def test_a_mail_goes_through_starttls_and_a_login(certificates: Certificates) -> None:
    post = Post()
    async with serving(post, starttls=certificates.server) as port:
        await encrypted(port, certificates).send(MESSAGE)
    [mail] = post.mails
    assert (post.encrypted, post.logins) == ([True], 1)
    assert (post.envelopes[0].mail_from, post.envelopes[0].rcpt_tos) == ("us@example.com", ["ada@example.com"])
    assert (mail["From"], mail["To"], mail["Subject"]) == ("us@example.com", "ada@example.com", "A subject")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"]
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert bodies(mail) == [MESSAGE.text, MESSAGE.html]


async def test_a_mail_goes_through_tls_from_the_start(certificates: Certificates) -> None:
    post = Post()
    async with serving(post, tls=certificates.server) as port:
        await encrypted(port, certificates, security="tls", username=None).send(MESSAGE)
    assert len(post.mails) == 1


async def test_a_certificate_of_an_unknown_authority_is_not_trusted(certificates: Certificates) -> None:
    post = Post()
    async with serving(post, starttls=certificates.server) as port:
        with pytest.raises(MailError, match="certificate") as failure:
            await encrypted(port, certificates, ca_file=None).send(MESSAGE)
    assert not isinstance(failure.value, MailRefused)
    assert (post.logins, post.mails) == (0, [])


async def test_a_certificate_for_another_name_is_not_trusted(certificates: Certificates) -> None:
    post = Post()
    async with serving(post, starttls=certificates.server) as port:
        with pytest.raises(MailError, match="certificate"):
            await encrypted(port, certificates, host="127.0.0.1").send(MESSAGE)
    assert post.logins == 0


@pytest.mark.parametrize("username", [USER, None])
async def test_a_server_without_starttls_gets_neither_password_nor_mail(
    certificates: Certificates, username: str | None
) -> None:
    post = Post()
    async with serving(post) as port:
        with pytest.raises(MailError, match="STARTTLS extension not supported"):
            await encrypted(port, certificates, username=username).send(MESSAGE)
    assert (post.logins, post.mails) == (0, [])


async def test_a_wrong_password_does_not_reject_the_mail(certificates: Certificates) -> None:
    post = Post()
    async with serving(post, starttls=certificates.server) as port:
        with pytest.raises(MailError, match="535") as failure:
            await encrypted(port, certificates, password=SecretStr("wrong")).send(MESSAGE)
    assert not isinstance(failure.value, MailRefused)
    assert post.mails == []


@pytest.mark.parametrize("at_data", [False, True])
@pytest.mark.parametrize("answer", ["451 later, ada@example.com", "452 full", "421 closing"])
async def test_a_temporary_rejection_may_be_retried(answer: str, at_data: bool) -> None:
    post = Post([answer], at_data=at_data)
    async with serving(post) as port:
        mailer = SmtpMailer(replace(LOCAL, port=port))
        with pytest.raises(MailError, match=answer[:3]) as failure:
            await mailer.send(MESSAGE)
        assert not isinstance(failure.value, MailRefused)
        await mailer.send(MESSAGE)
    assert len(post.mails) == 1
    assert_says_nothing_of_whom(failure)


@pytest.mark.parametrize("at_data", [False, True])
@pytest.mark.parametrize("answer", ["550 no ada@example.com here", "554 spam"])
async def test_a_permanent_rejection_is_final(answer: str, at_data: bool) -> None:
    post = Post([answer], at_data=at_data)
    async with serving(post) as port:
        with pytest.raises(MailRefused, match=answer[:3]) as failure:
            await SmtpMailer(replace(LOCAL, port=port)).send(MESSAGE)
    assert_says_nothing_of_whom(failure)


def assert_says_nothing_of_whom(failure: pytest.ExceptionInfo[MailError]) -> None:
    """Checks the error and its traceback."""
    assert "ada" not in str(failure.value)
    assert failure.value.__cause__ is None
    assert failure.value.__suppress_context__


async def test_a_server_that_stops_answering_times_out() -> None:
    post = Post(silent=True)
    async with serving(post) as port:
        async with asyncio.timeout(60):
            with pytest.raises(MailError, match="Timeout") as failure:
                await SmtpMailer(replace(LOCAL, port=port, timeout=0.5)).send(MESSAGE)
    assert isinstance(failure.value.__cause__, TimeoutError)


async def test_a_server_without_a_greeting_times_out() -> None:
    async with await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(MailError, match="Tim"):
            await SmtpMailer(replace(LOCAL, port=port, timeout=0.3)).send(MESSAGE)


async def test_an_unresponsive_server_is_not_tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now, post = 0.0, Post(silent=True)
    monkeypatch.setattr(smtp, "time", SimpleNamespace(monotonic=lambda: now))
    async with serving(post) as port:
        mailer = SmtpMailer(replace(LOCAL, port=port, timeout=0.5))
        for _ in range(3):
            with pytest.raises(MailError):
                await mailer.send(MESSAGE)
        assert post.connections == 1
        post.silent = False
        now += smtp._AWAY_FOR
        mailer._options = replace(mailer._options, timeout=60)
        await mailer.send(MESSAGE)
    assert len(post.mails) == 1


async def test_an_unreachable_server_may_be_retried() -> None:
    mailer = SmtpMailer(replace(LOCAL, port=free_port()))
    with pytest.raises(MailError, match="Connect call failed") as failure:
        await mailer.send(MESSAGE)
    assert not isinstance(failure.value, MailRefused)
    with pytest.raises(OSError, match="Connect call failed"):
        await mailer.ping()


async def test_the_same_mail_has_the_same_id() -> None:
    post = Post()
    async with serving(post) as port:
        mailer = SmtpMailer(replace(LOCAL, port=port))
        for key in ("job 1", "job 1", "job 2"):
            await mailer.send(replace(MESSAGE, key=key))
    first, again, other = (mail["Message-ID"] for mail in post.mails)
    assert first == again != other
    assert first.endswith("@example.com>")


LETTER = Message(
    "jörg@exämple.com", "Grüße aus Łódź", "Zażółć gęślą jaźń\n" + "x" * 2000 + "\n", "<p>żółć</p>\n", "job"
)


async def test_mails_beyond_ascii_arrive_as_they_were() -> None:
    post = Post()
    async with serving(post) as port:
        await SmtpMailer(replace(LOCAL, sender="Żółw <us@exämple.com>", port=port)).send(LETTER)
    [mail] = post.mails
    assert post.envelopes[0].smtp_utf8
    assert post.envelopes[0].rcpt_tos == ["jörg@xn--exmple-cua.com"]
    assert (mail["Subject"], mail["To"]) == (LETTER.subject, "jörg@xn--exmple-cua.com")
    assert mail["From"] == "Żółw <us@xn--exmple-cua.com>"
    assert bodies(mail) == [LETTER.text, LETTER.html]


async def test_an_international_domain_needs_nothing_of_the_server() -> None:
    post = Post()
    async with serving(post, utf8=False) as port:
        mailer = SmtpMailer(replace(LOCAL, port=port))
        await mailer.send(replace(LETTER, to="joerg@exämple.com"))
        with pytest.raises(MailRefused, match="ASCII"):
            await mailer.send(LETTER)
    [mail] = post.mails
    assert post.envelopes[0].rcpt_tos == ["joerg@xn--exmple-cua.com"]
    assert mail["Subject"] == LETTER.subject
    assert isinstance(post.envelopes[0].content, bytes)
    assert post.envelopes[0].content.isascii()


@pytest.mark.parametrize(
    "broken",
    [
        replace(MESSAGE, to="ada@example.com\r\nBcc: eve@example.com"),
        replace(MESSAGE, to="ada@example.com>, <eve@example.com"),
        replace(MESSAGE, to="ada@example.com SIZE=1"),
        replace(MESSAGE, to="nobody"),
        replace(MESSAGE, subject="Hello\nBcc: eve@example.com"),
        replace(MESSAGE, subject="Hello\x00"),
    ],
)
async def test_a_header_takes_one_line_and_an_address_one_mailbox(broken: Message) -> None:
    post = Post()
    async with serving(post) as port:
        with pytest.raises(MailRefused) as failure:
            await SmtpMailer(replace(LOCAL, port=port)).send(broken)
    assert (post.connections, post.mails) == (0, [])
    assert_says_nothing_of_whom(failure)


async def test_a_ping_greets_the_server_once_a_minute_and_never_logs_in(certificates: Certificates) -> None:
    post = Post()
    async with serving(post, starttls=certificates.server) as port:
        mailer = encrypted(port, certificates)
        await mailer.ping()
        await mailer.ping()
    assert (post.connections, post.logins) == (1, 0)


def test_an_unreadable_ca_file_is_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "none.pem"):
        with pytest.raises(OSError, match=r"\w"):
            SmtpMailer(replace(LOCAL, ca_file=tmp_path / name))

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import BaseModel, ValidationError

from partywall.core.http.access_log import LONGEST_PATH, AccessEntry, logged_path
from partywall.core.log_masks import MOST_CHARACTERS, mask
from partywall.core.security.secrets import Signer
from partywall.features.accounts.verification_tokens import VerificationTokens
from partywall.features.projects.invitation_tokens import InvitationTokens
from partywall.logs import access_log
from partywall.settings import LogSettings

SIGNER = Signer(b"a key of these tests")
INVITATION = InvitationTokens(SIGNER).of(UUID(int=1))
VERIFICATION = VerificationTokens(SIGNER).of(UUID(int=1))


class Wanted(BaseModel):
    password: int


def _refused() -> str:
    with pytest.raises(ValidationError) as refused:
        Wanted.model_validate({"password": "hunter2"})
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "kept", "gone"),
    [
        ("login of ada@example.com failed", "login of", "ada@example.com"),
        ("Authorization: Bearer abc.def", "Authorization", "abc.def"),
        ("token eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIx.c2ln end", "end", "eyJzdWIiOiIx"),
        ("connect postgresql://app:hunter2@db/partywall", "connect", "hunter2"),
        ("duplicate key\nDETAIL:  Key (title)=(Secret plan) already exists.\nHINT: none", "HINT", "Secret plan"),
        (f"1 validation error\n{_refused()}\n    For further", "For further", "hunter2"),
        ("DataError: invalid input for query argument $1: 'hunter2' (expected UUID)\nend", "argument $1", "hunter2"),
        ('invalid input syntax for type uuid: "hunter2"\nend', "type uuid", "hunter2"),
        ("key pw_0123456789abcdefghij in use", "in use", "0123456789abcdefghij"),
        (f"invitation {INVITATION} used", "used", INVITATION),
        (f"mail {VERIFICATION} sent", "sent", VERIFICATION),
    ],
)
def test_credentials_and_addresses_are_masked(text: str, kept: str, gone: str) -> None:
    masked = mask(text)
    assert kept in masked
    assert gone not in masked


def test_ordinary_text_is_left_alone() -> None:
    assert mask("document_indexed 42 chunks in 0.5 s") == "document_indexed 42 chunks in 0.5 s"


def test_a_long_text_is_shortened_in_the_middle_and_at_a_word() -> None:
    masked = mask("x" * 100_000 + " ada@example.com " + "y" * 4000 + " end")
    assert len(masked) <= MOST_CHARACTERS
    assert masked.startswith("xxx")
    assert masked.endswith("y end")
    assert "example" not in mask("x" * 100_000 + "@example.com")


def _entry(path: str) -> AccessEntry:
    return {"method": "GET", "path": path, "status": 200, "ms": 1.5, "principal": None, "request_id": "r-1"}


def test_an_answered_request_is_one_line_of_json(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    access_log(LogSettings(format="json"))(_entry("/healthz"))
    [line] = capsysbinary.readouterr().out.splitlines()
    logged = json.loads(line)
    assert datetime.fromisoformat(logged.pop("timestamp")).utcoffset() == timedelta(0)
    assert logged == {**_entry("/healthz"), "event": "request", "level": "info"}


@pytest.mark.parametrize(
    "secret", ["ada@example.com", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIx.c2ln", "pw_0123456789abcdefgh"]
)
def test_what_a_client_writes_into_its_path_is_masked(secret: str, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    access_log(LogSettings(format="json"))(_entry(f"/api/v1/{secret}/x"))
    out = capsysbinary.readouterr().out
    assert secret.encode() not in out
    assert "***" in json.loads(out)["path"]


def test_a_level_above_info_logs_no_request(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    access_log(LogSettings(format="json", level="warning"))(_entry("/healthz"))
    assert capsysbinary.readouterr().out == b""


def test_on_a_terminal_the_line_is_readable(capsys: pytest.CaptureFixture[str]) -> None:
    access_log(LogSettings(format="console"))(_entry("/healthz"))
    out = capsys.readouterr().out
    assert "/healthz" in out
    assert "{" not in out


def test_a_client_that_is_gone_is_no_error_of_the_server() -> None:
    program = """
import logging
from partywall.logs import configure_logging
from partywall.settings import LogSettings
configure_logging(LogSettings(format="json"))
for what in ("starting response", "completing response", "completing handshake"):
    logging.getLogger("uvicorn.error").error(f"ASGI callable returned without {what}.")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert [json.loads(line)["event"] for line in ran.stdout.splitlines()] == [
        "ASGI callable returned without starting response."
    ]


def test_invalid_text_and_large_numbers_can_be_logged() -> None:
    """An error's text may contain a lone surrogate, which must not stop the caller."""
    program = """
import structlog
from partywall.logs import configure_logging
from partywall.settings import LogSettings
configure_logging(LogSettings(format="json"))
try:
    raise ValueError("half of a pair \\ud800")
except ValueError:
    structlog.get_logger().exception("failed", number=2**80)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    [line] = [json.loads(each) for each in ran.stdout.splitlines()]
    assert (line["event"], line["number"]) == ("failed", 2**80)
    assert line["exception"].endswith("ValueError: half of a pair \ud800")


def test_a_frame_that_is_no_text_is_one_line_and_no_error() -> None:
    program = """
import logging
from partywall.logs import configure_logging
from partywall.settings import LogSettings
configure_logging(LogSettings(format="json"))
try:
    b"\\xff".decode()
except UnicodeDecodeError:
    logging.getLogger("uvicorn.error").exception("Invalid UTF-8 sequence received from client.")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    [line] = ran.stdout.splitlines()
    logged = json.loads(line)
    assert (logged["level"], logged["event"]) == ("info", "Invalid UTF-8 sequence received from client.")
    assert "exception" not in logged


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is full")
def test_a_full_disk_does_not_stop_logging_callers() -> None:
    program = """
import logging, os, structlog
from partywall.logs import access_log, configure_logging
from partywall.settings import LogSettings
from partywall.supervisor.console import report
configure_logging(LogSettings(format="json"))
for _ in range(3):
    structlog.get_logger("a").warning("a line", text="x" * 10_000)
    logging.getLogger("b").warning("a line of a library's")
    access_log(LogSettings(format="json"))({"path": "/healthz"})
    report("a line of the supervisor's")
os._exit(7)
"""
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run([sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, check=False)
    assert ran.returncode == 7


def test_closing_a_pool_logs_nothing() -> None:
    program = """
from partywall.core.db.pools import SharedQueuePool
from partywall.logs import configure_logging
from partywall.settings import LogSettings
configure_logging(LogSettings(format="json"))
SharedQueuePool(object).recreate()
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == ""


def test_a_cause_is_logged_without_what_it_quotes() -> None:
    program = """
import structlog
from pydantic import BaseModel
from partywall.logs import configure_logging
from partywall.settings import LogSettings
configure_logging(LogSettings(format="json"))
class Wanted(BaseModel):
    password: int
try:
    try:
        Wanted.model_validate({"password": "hun" + "ter2"})
    except ValueError as error:
        raise RuntimeError("translated") from error
except RuntimeError:
    structlog.get_logger().exception("failed")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    logged = json.loads(ran.stdout)["exception"]
    assert "ValidationError: 1 validation error for Wanted" in logged
    assert "RuntimeError: translated" in logged
    assert "hunter2" not in ran.stdout


def test_a_logged_path_is_shortened() -> None:
    assert logged_path("/api/v1/a-b%20=c?") == "/api/v1/a-b%20=c?"
    assert logged_path("/\x00\x1f\n é") == "/%00%1F%0A%20%C3%A9"
    for character in ("\x01", "\U00020000", "\ud800", '"', "\\", "a"):
        assert len(json.dumps(logged_path("/" + character * 5_000))) == LONGEST_PATH + len('""')

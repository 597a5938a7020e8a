"""The queries that the page on the wall recommends to auditors return the answers that it shows."""

from __future__ import annotations

import re
import subprocess

import pytest

from partywall.adapters.embedded.wheels import postgres_binaries
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Users
from tests.architecture.layout import ROOT
from tests.libpq import without_libpq

PAGE = ROOT / "docs" / "explanation" / "the-wall.md"
QUESTION = re.compile(r"^```sql\n(.*?)^```\n(?:\n^```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)


def questions() -> list[tuple[str, str]]:
    return [(sql, shown) for sql, shown in QUESTION.findall(PAGE.read_text())]


def ask(url: str, sql: str) -> str:
    """The output of psql, without trailing spaces."""
    command = [str(postgres_binaries(None) / "psql"), "--no-psqlrc", "--quiet", "--pset=pager=off", url]
    done = subprocess.run(
        command, input=sql, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True, env=without_libpq()
    )
    return re.sub(r" +$", "", done.stdout, flags=re.MULTILINE).strip("\n") + "\n"


def test_the_page_asks() -> None:
    assert len(questions()) >= 8


@pytest.mark.parametrize(("sql", "shown"), questions())
async def test_the_catalogue_answers_as_the_page_shows(
    database: DatabaseUrls, users: Users, sql: str, shown: str
) -> None:
    await (await users.person()).project()
    assert ask(DatabaseUrls.dsn(database.runtime), sql) == shown

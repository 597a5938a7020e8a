from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from partywall.client.document_import.send import BATCH_DOCUMENTS
from tests.client.proxy import Proxy
from tests.command_line import ROOT, run
from tests.e2e.conftest import PASSWORD, CliServer
from tests.mailbox import mails_to, text_of
from tests.server import free_port

pytestmark = pytest.mark.e2e

ONE_LINE = re.compile(r"partywall: [^\n]+\n")


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Lets Ctrl-C reach the processes started here, even where a shell runs the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def member(cli_server: CliServer) -> CliServer:
    """Registered by a process, so that every other command finds the session in its file."""
    arguments = ("register", "--email", "ann@example.com", "--server", cli_server.url)
    done = run(*arguments, environment=cli_server.environment)
    assert done.returncode == 0, done.stderr
    return cli_server


def refused(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert (done.returncode, done.stdout) == (2, "")
    assert ONE_LINE.fullmatch(done.stderr), done.stderr
    for part in parts:
        assert part in done.stderr


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["serf"], "serf"),
        (["search", "x", "--project", "Nowhere"], "Nowhere"),
        (["users", "create", "nonsense", "--data-dir", "."], "."),
    ],
)
def test_a_mistake_is_one_line(member: CliServer, arguments: list[str], part: str) -> None:
    refused(run(*arguments, environment=member.environment), part)


def test_a_server_that_is_away_is_one_line(member: CliServer) -> None:
    refused(member.run("login", "--email", "a@example.com", "--server", f"localhost:{free_port()}"), "cannot reach")


def test_a_wrong_password_is_one_line(member: CliServer) -> None:
    done = member.run("login", "--email", "ann@example.com", "--password-stdin", stdin="wrong wrong wrong\n")
    refused(done, "wrong e-mail address or password")


def test_work_from_import_to_search(member: CliServer, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Bees\n\nThe hive hums in the orchard.")
    (tmp_path / "b.txt").write_text("Trams run until midnight.")
    (tmp_path / "bad.txt").write_bytes(b"a\0")
    (tmp_path / "nothing.pdf").touch()
    done = member.run("import", str(tmp_path), "--project", "Field notes", "--wait")
    assert (done.returncode, done.stdout) == (1, "3 sent, 0 changed, 0 unchanged, 1 failed, 1 not read\n")
    for line in ("read: 2", "not read: 1 empty. The file has no content.", "    nothing.pdf"):
        assert any(each.startswith(line) for each in done.stderr.splitlines()), done.stderr
    assert "failed: bad.txt: it contains NUL" in done.stderr
    (tmp_path / "bad.txt").unlink()
    (tmp_path / "nothing.pdf").unlink()
    lines = member.run("import", str(tmp_path), "--delete", "--yes", "--json").stdout.splitlines()
    assert [json.loads(line).get("outcome") for line in lines] == ["unchanged", "unchanged", "deleted", None]

    answer = json.loads(member.run("search", "where do bees live?", "--limit", "1", "--json").stdout)
    assert [hit["title"] for hit in answer["items"]] == ["Bees"]
    project, shown, why, text, *_ = member.run("search", "orchard", "--mode", "text", "--explain").stdout.splitlines()
    assert project == "in 'Field notes':"
    assert shown.startswith(" 1. Bees  1.000  ")
    assert shown.endswith("  a.md")
    assert why.startswith("    text: rank 1, BM25 ")
    assert "The hive hums in the orchard." in text
    done = member.run("search", "xqzv blorf", "--min-score", "0.5")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "nothing found in 'Field notes'\n")

    (tmp_path / "b.txt").write_text("Trams run all night.")
    done = member.run("import", str(tmp_path))
    assert done.stdout == "0 sent, 1 changed, 1 unchanged, 0 failed\n"
    assert "Field notes" in member.run("projects", "list").stdout


def test_search_is_measured_and_compared(member: CliServer, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "bees.md").write_text("# Bees\n\nThe hive hums in the orchard.")
    (tmp_path / "corpus" / "same.md").write_text("# Bees\n\nThe hive hums in the orchard.")
    (tmp_path / "corpus" / "trams.md").write_text("# Trams\n\nTrams run until midnight.")
    (tmp_path / "queries.jsonl").write_text(
        f'{{"id": 1, "text": "hive"}}\n{{"id": 2, "text": "trams"}}\n{{"id": 3, "text": "hive {"buzz " * 300}"}}\n'
    )
    (tmp_path / "qrels.tsv").write_text("1\tbees.md\t1\n3\tsame.md\t1\n2\ttrams.md\t1\n2\tgone.md\t1\n")
    saved, report = str(tmp_path / "saved.json"), tmp_path / "report.html"
    done = member.run("eval", str(tmp_path), "--mode", "text", "--save", saved)
    assert done.returncode == 0, done.stderr
    assert [line.split() for line in done.stdout.splitlines()[1:]] == [
        ["nDCG@10", "0.8710"], ["recall@100", "0.8333"], ["MRR", "1.0000"], ["hit@3", "1.0000"]
    ]  # fmt: skip
    assert "warning: 1 of 4 judged documents are not in the project" in done.stderr
    assert "warning: query '3' is asked with its first 1,000 characters" in done.stderr.splitlines()
    done = member.run("eval", str(tmp_path), "--mode", "vector", "--against", saved, "--report", str(report))
    assert done.stdout.splitlines()[1].split() == ["saved", "vector", "difference", "p"]
    assert "bees.md" in report.read_text()
    done = member.run("eval", str(tmp_path), "--mode", saved, "--against", saved)
    assert done.stdout.splitlines()[1].split() == ["1:", "saved", "2:", "saved", "difference", "p"]

    (tmp_path / "qrels.tsv").write_text("1\tnowhere.md\t1\n")
    refused(member.run("eval", str(tmp_path), "--mode", "fuzzy"), "fuzzy")
    (tmp_path / "nul").mkdir()
    (tmp_path / "nul" / "queries.jsonl").write_text('{"id": "9", "text": "a\\u0000b"}\n')
    (tmp_path / "nul" / "qrels.tsv").write_text("9\tbees.md\t1\n")
    done = member.run("eval", str(tmp_path / "nul"), "--project", f"eval {tmp_path.name}")
    assert done.stderr.splitlines()[-1].startswith("partywall: query '9': ")
    done = member.run("eval", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].endswith("none of the judged documents, such as 'nowhere.md'")


def test_a_dry_run_shows_what_would_be_done(member: CliServer, tmp_path: Path) -> None:
    for name in ("a.md", "b.adoc", "c.adoc", "LICENSE"):
        (tmp_path / name).write_text("# Wells")
    done = member.run("import", str(tmp_path), "--project", "Planned", "--dry-run")
    assert (done.returncode, done.stdout) == (0, "would be: 1 sent, 0 changed, 0 unchanged, 0 failed, 3 skipped\n")
    for line in (
        "skipped 2 (.adoc files are not supported): b.adoc, c.adoc",
        "skipped 1 (no file name extension): LICENSE",
        "would create the project 'Planned'",
        "would send: a.md",
    ):
        assert line in done.stderr.splitlines()
    assert "Planned" not in member.run("projects", "list").stdout


def call(member: CliServer) -> httpx2.Client:
    """Calls the API as a user would with curl."""
    api = f"{member.url}/api/v1"
    form = {"grant_type": "password", "username": "ann@example.com", "password": PASSWORD}
    token = httpx2.post(f"{api}/auth/token", data=form).json()["access_token"]
    return httpx2.Client(base_url=api, headers={"Authorization": f"Bearer {token}"})


def make_key(member: CliServer, project: str) -> str:
    with call(member) as client:
        made = client.post(f"/projects/{project}/api-keys", json={"name": "k", "role": "editor"})
    return str(made.json()["secret"])


def test_a_key_needs_no_login(member: CliServer, tmp_path: Path) -> None:
    project = member.run("projects", "create", "Kept by a program").stdout.strip()
    key, config = make_key(member, project), tmp_path / "config"
    (tmp_path / "note.md").write_text("# Kilns\n\nThe kiln cools overnight.")

    def anywhere(*arguments: str, key: str = key) -> subprocess.CompletedProcess[str]:
        return member.run(*arguments, PARTYWALL_KEY=key, PARTYWALL_SERVER=member.url, XDG_CONFIG_HOME=str(config))

    done = anywhere("import", str(tmp_path))
    assert done.stdout == "1 sent, 0 changed, 0 unchanged, 0 failed\n", done.stderr
    assert anywhere("projects", "list").stdout.split()[:2] == [project, "editor"]
    assert not config.exists()
    refused(anywhere("projects", "create", "Another"), "not a project's key")
    refused(anywhere("search", "x", key="hunter2"), "pw_")
    refused(anywhere("search", "x", key=key[:-1]), "the key in PARTYWALL_KEY")


def test_events_are_followed_until_ctrl_c(member: CliServer) -> None:
    assert member.run("projects", "create", "Watched").returncode == 0
    command = [sys.executable, "-m", "partywall", "events", "--follow", "--after", "0", "--json"]
    watcher = subprocess.Popen(command, env=member.environment, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert watcher.stdout is not None
    assert json.loads(watcher.stdout.readline())["type"] == "project.created"
    done = member.run("import", "examples/handbook/leave.md", "--project", "Watched")
    assert done.returncode == 0, done.stderr
    assert json.loads(watcher.stdout.readline())["type"] == "document.created"
    watcher.send_signal(signal.SIGINT)
    watcher.communicate(timeout=10)
    assert watcher.returncode == 130


def test_an_interrupted_import_goes_on(member: CliServer, tmp_path: Path) -> None:
    """Interrupted while it waits for a server that has taken the first batch and no other."""
    lines = (
        json.dumps({"id": number, "title": "T", "text": f"word {number}"}) for number in range(BATCH_DOCUMENTS + 3)
    )
    (tmp_path / "many.jsonl").write_text("\n".join(lines))
    project = member.run("projects", "create", "Interrupted").stdout.strip()
    command = [sys.executable, "-m", "partywall", "import", str(tmp_path), "--project", project]
    with Proxy(member.deployment.port) as proxy:
        proxy.posts = 1
        environment = member.environment | {
            "PARTYWALL_KEY": make_key(member, project),
            "PARTYWALL_SERVER": proxy.url,
        }
        first = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert first.stderr is not None
        assert any("retrying in" in line for line in first.stderr), "it ended before"
        first.send_signal(signal.SIGINT)
        output, errors = first.communicate(timeout=30)
    assert first.returncode == 130, errors
    assert "repeat the command to continue" in errors
    assert output == f"{BATCH_DOCUMENTS} sent, 0 changed, 0 unchanged, 0 failed\n"
    again = member.run("import", str(tmp_path), "--project", project)
    assert (again.returncode, again.stdout) == (0, f"3 sent, 0 changed, {BATCH_DOCUMENTS} unchanged, 0 failed\n"), again


def test_operators_find_the_running_engines(cli_server: CliServer) -> None:
    made = cli_server.on_the_machine("users", "create", "ops@example.com", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert made.returncode == 0, made.stderr
    assert cli_server.run("login", "--email", "ops@example.com", "--server", cli_server.url).returncode == 0
    refused(cli_server.on_the_machine("users", "create", "ops@example.com"), "already")
    assert cli_server.on_the_machine("users", "disable", "ops@example.com").returncode == 0
    assert "disabled" in cli_server.on_the_machine("users", "list").stdout
    refused(cli_server.run("login", "--email", "ops@example.com", "--server", cli_server.url), "wrong")
    assert cli_server.on_the_machine("users", "enable", "ops@example.com").returncode == 0
    other = f"another {PASSWORD}"
    changed = cli_server.on_the_machine("users", "password", "ops@example.com", "--password-stdin", stdin=f"{other}\n")
    assert (changed.returncode, changed.stdout.count("password:")) == (0, 0), changed.stderr
    again = ("login", "--email", "ops@example.com", "--server", cli_server.url, "--password-stdin")
    refused(cli_server.run(*again, stdin=f"{PASSWORD}\n"), "wrong")
    assert cli_server.run(*again, stdin=f"{other}\n").returncode == 0
    assert cli_server.on_the_machine("users", "unlock", "ops@example.com").returncode == 0
    for command in ("disable", "unlock", "password"):
        refused(cli_server.on_the_machine("users", command, "nobody@example.com"), "nobody@example.com")


def test_a_generated_password_logs_in(cli_server: CliServer) -> None:
    made = cli_server.on_the_machine("users", "create", "new@example.com")
    [password] = re.findall(r"^password: (\S+)$", made.stdout, re.MULTILINE)
    done = cli_server.run(
        "login", "--email", "new@example.com", "--server", cli_server.url, "--password-stdin", stdin=f"{password}\n"
    )
    assert done.returncode == 0, done.stderr


def test_key_rotation_keeps_sessions(member: CliServer) -> None:
    rotated = member.on_the_machine("keys", "rotate")
    assert rotated.returncode == 0, rotated.stderr
    assert "signs from" in rotated.stdout
    assert member.run("projects", "list").returncode == 0


def test_the_schema_is_at_head_and_no_jobs_exist(cli_server: CliServer) -> None:
    migrated = cli_server.on_the_machine("migrate")
    assert (migrated.returncode, migrated.stdout[:13]) == (0, "nothing to do")
    refused(cli_server.on_the_machine("migrate", "0000"), "0000")
    refused(cli_server.on_the_machine("migrate", "base"), "loses everything that is stored")
    listed = cli_server.on_the_machine("jobs", "list")
    assert (listed.returncode, listed.stdout, listed.stderr) == (0, "", "no dead letters\n")
    assert cli_server.on_the_machine("jobs", "retry", "7").returncode == 1


def test_a_directory_without_data_is_refused(cli_server: CliServer, tmp_path: Path) -> None:
    refused(cli_server.run("users", "list", "--data-dir", str(tmp_path)), str(tmp_path), "--data-dir")


def test_openapi_needs_neither_settings_nor_engines(cli_server: CliServer) -> None:
    printed = cli_server.run("openapi")
    assert printed.returncode == 0, printed.stderr
    assert "/api/v1/projects" in json.loads(printed.stdout)["paths"]


def test_logging_out_ends_it(cli_server: CliServer) -> None:
    config = str(cli_server.home / "elsewhere")
    assert (
        cli_server.run(
            "register", "--email", "bye@example.com", "--server", cli_server.url, XDG_CONFIG_HOME=config
        ).returncode
        == 0
    )
    assert cli_server.run("logout", XDG_CONFIG_HOME=config).returncode == 0
    refused(cli_server.run("projects", "list", XDG_CONFIG_HOME=config), "partywall login")


async def mailed(cli_server: CliServer, address: str, prefix: str) -> str:
    """The code of a mail, which the worker sends."""
    directory = cli_server.deployment.data_dir / "mail"
    async with asyncio.timeout(60):
        while True:
            lines = [line for mail in mails_to(directory, address) for line in text_of(mail).splitlines()]
            if codes := [line for line in lines if line.startswith(prefix)]:
                return codes[-1]
            await asyncio.sleep(0.1)


async def test_mailed_codes_set_a_password_and_lift_a_lock(cli_server: CliServer) -> None:
    address, new, config = "forgetful@example.com", "a new password of mine", str(cli_server.home / "forgetful")
    assert cli_server.on_the_machine("users", "create", address).returncode == 0
    for _ in range(5):
        form = {"grant_type": "password", "username": address, "password": "wrong password"}
        assert httpx2.post(f"{cli_server.url}/api/v1/auth/token", data=form).status_code == 400
    login = ("login", "--email", address, "--server", cli_server.url)
    refused(cli_server.run(*login, XDG_CONFIG_HOME=config), "Too many failed logins")
    unlock = ("password", "unlock", "--server", cli_server.url, "--stdin")
    assert cli_server.run(*unlock, stdin=await mailed(cli_server, address, "pwu_") + "\n").returncode == 0
    asked = cli_server.run("password", "forgot", "--email", address, "--server", cli_server.url)
    assert asked.returncode == 0, asked.stderr
    reset = ("password", "reset", "--server", cli_server.url, "--stdin")
    done = cli_server.run(*reset, stdin=f"{await mailed(cli_server, address, 'pwp_')}\n{new}\n")
    assert done.returncode == 0, done.stderr
    done = cli_server.run(*login, XDG_CONFIG_HOME=config, PARTYWALL_PASSWORD=new)
    assert done.returncode == 0, done.stderr

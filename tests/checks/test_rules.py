"""`partywall check` finds what its explanations call bad, and accepts what they call good and what it generates."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from partywall.checks.files import BYTES_AT_MOST
from partywall.checks.package import read_package
from partywall.checks.rules import IDS, check_package, explanation
from partywall.cli import run
from partywall.extensions.new_package import write_package

EXAMPLE = re.compile(r"(?ms)^(Bad|Good), in `([\w./]+)`:\n\n```\w+\n(.*?)^```$")


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    write_package("orders", tmp_path / "orders")
    return tmp_path / "orders"


def put(package: Path, file: str, text: str) -> None:
    folder = package if file == "pyproject.toml" else package / "src" / "orders"
    (folder / file).write_text(text)


def found(package: Path) -> list[str]:
    return [str(finding) for finding in check_package(read_package(package))]


def test_a_generated_package_breaks_no_rule(orders: Path) -> None:
    assert found(orders) == []


@pytest.mark.parametrize("rule", IDS)
def test_an_explanation_shows_what_the_rule_finds(orders: Path, rule: str) -> None:
    examples = EXAMPLE.findall(explanation(rule))
    assert [word for word, *_ in examples] == ["Bad", "Good"]
    for word, file, text in examples:
        put(orders, file, text)
        place = "pyproject.toml" if file == "pyproject.toml" else "src/orders/"
        mine = [line for line in found(orders) if f": {rule}: " in line]
        assert bool(mine) == (word == "Bad"), (file, mine)
        assert all(re.match(rf"{place}[\w./]*:\d+: {rule}: \S", line) for line in mine)


def test_a_name_of_ours_in_the_database_is_found(orders: Path) -> None:
    project = (orders / "pyproject.toml").read_text()
    put(orders, "pyproject.toml", project.replace('orders = "orders.', 'claim = "orders.'))
    [line] = [line for line in found(orders) if ": PW002: " in line]
    assert "the feature claim has a name with which our function claim_documents begins: choose another" in line


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "pyproject.toml",
            "orders.feature:feature",
            "orders.feature:features",
            "orders.feature:features is no Feature",
        ),
        (
            "pyproject.toml",
            "orders.feature:feature",
            "orders.features:feature",
            "orders.features:feature is no Feature",
        ),
        ("pyproject.toml", "orders = ", "bills = ", "calls itself otherwise: give it name='bills'"),
        ("pyproject.toml", "orders = ", "Or-ders = ", "'Or-ders' is no valid name: use at most 40 lower case letters"),
        ("feature.py", 'name="orders"', "name=None", "calls itself otherwise: give it name='orders'"),
        ("feature.py", 'name="orders"', '**{"name": "orders"}', "calls itself otherwise: give it name='orders'"),
    ],
)
def test_a_wrong_entry_point_is_one_line(orders: Path, file: str, old: str, new: str, said: str) -> None:
    text = (orders / file if file == "pyproject.toml" else orders / "src" / "orders" / file).read_text()
    assert text.count(old) == 1
    put(orders, file, text.replace(old, new))
    [line] = found(orders)
    assert line.startswith("pyproject.toml:")
    assert said in line


ENDPOINT = "\n\n@router.get('/more')\nasync def list_more() -> None: ...\n"


@pytest.mark.parametrize(
    ("file", "more", "said"),
    [
        ("feature.py", '    name="orders",\n    route=(),\n', "PW003: Feature has no field route: use one of"),
        (
            "feature.py",
            '    name="orders",\n    public_routes=frozenset({"list_none"}),\n',
            "no public route list_none",
        ),
        ("router.py", "\n\nrouter.route_class = Bare\n", "PW014: route_class may serve without a principal"),
        ("dependencies.py", "\n\nclass Bare(APIRoute): ...\n", "PW014: Bare may serve without a principal"),
        (
            "feature.py",
            '    name="orders",\n    optional=(READ, READ),\n',
            "PW022: optional lists READ twice: remove one",
        ),
        ("router.py", ENDPOINT + ENDPOINT, "PW022: the endpoint list_more is declared twice: rename one of them"),
    ],
)
def test_what_a_start_would_refuse_is_found(orders: Path, file: str, more: str, said: str) -> None:
    text = (orders / "src" / "orders" / file).read_text()
    put(orders, file, text.replace('    name="orders",\n', more) if file == "feature.py" else text + more)
    assert [line for line in found(orders) if said in line]


def test_a_line_may_be_allowed_with_a_reason(orders: Path) -> None:
    put(orders, "work.py", "import pandas  # lint: allow PW007 - installed with the machine's own packages\n")
    assert not [line for line in found(orders) if "pandas" in line]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE document SET title = ''", "INSERT INTO job VALUES (1)", "DELETE FROM account", "TRUNCATE document",
        "CREATE POLICY orders_all ON document USING (true)", "GRANT SELECT ON account TO PUBLIC",
        "CREATE UNIQUE INDEX orders_idx ON document (title)", "DROP TABLE IF EXISTS document",
        "CREATE OR REPLACE FUNCTION wall.current_project() RETURNS uuid LANGUAGE sql AS ''",
    ],
)  # fmt: skip
def test_sql_of_a_migration_is_read(orders: Path, statement: str) -> None:
    text = f'from alembic import op\n\ndef upgrade() -> None:\n    op.execute("""\n        {statement}\n    """)\n'
    put(orders, "migrations/0002_other.py", text)
    assert [line for line in found(orders) if line.startswith("src/orders/migrations/0002_other.py:5: PW012: ")]


MIGRATION = """
from alembic import op
from sqlalchemy import Column, Enum, Uuid


def upgrade() -> None:
    {step}
"""


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ('op.drop_table(table_name="document")', "PW012: this changes document, which is not yours"),
        ('op.create_index(op.f("x"), table_name="document", columns=[])', "PW012: this changes document, which"),
        ('op.add_column("orders_item", Column("mood", Enum("a", name="mood")))', "PW012: this changes mood, which"),
        ('op.execute("COMMENT ON TABLE document IS 1")', "PW012: this changes document, which is not yours"),
        ('op.execute("CREATE SCHEMA orders_more")', "PW012: this changes SCHEMA orders_more, which is not yours: lea"),
        ('op.execute("CREATE EXTENSION hstore")', "PW012: this changes EXTENSION hstore, which is not yours: leave"),
        ('op.execute("ALTER ROLE CURRENT_USER SET search_path = public")', "PW012: this changes ROLE CURRENT_USER, "),
        ('op.create_table("orders_extra", Column("project_id", Uuid))', "PW013: no migration creates the policy of"),
        ('op.execute("ALTER TABLE orders_item DISABLE ROW LEVEL SECURITY")', "PW013: this opens a table to other"),
        ('op.execute("CREATE POLICY everyone ON orders_item USING (true)")', "PW013: this opens a table to other"),
        ('op.execute("CREATE POLICY x ON orders_item USING (project_id = (SELECT wall.current_project()))")', None),
        ('op.create_index("orders_x", "orders_item", ["title"])', None),
    ],
)
def test_a_step_of_a_later_migration_is_read(orders: Path, step: str, said: str | None) -> None:
    put(orders, "migrations/0002_other.py", MIGRATION.format(step=step))
    [line] = [line for line in found(orders) if ":7: PW01" in line] or [""]
    assert said in line if said else line == ""


REPOSITORY = """
from partywall.api.scope import ProjectScope
from sqlalchemy import func, select
from orders.models import Item

def own(scope: ProjectScope) -> object:
    return Item.project_id == scope.project_id

async def read(session, scope: ProjectScope, item_id) -> object:
    ours = Item.project_id == scope.project_id
    return await session.scalar({query})
"""


@pytest.mark.parametrize(
    ("query", "is_wrong"),
    [
        ("select(func.count()).select_from(Item)", True),
        ("session.get(Item, item_id)", True),
        ("session.get(Item, (scope.project_id, item_id))", False),
        ("select(Item).where(own(scope), Item.id == item_id)", False),
        ("select(func.count()).select_from(Item).where(ours)", False),
    ],
)
def test_a_query_names_its_project_in_any_form(orders: Path, query: str, is_wrong: bool) -> None:
    put(orders, "reading.py", REPOSITORY.format(query=query))
    assert bool([line for line in found(orders) if "reading.py" in line and ": PW015: " in line]) == is_wrong


def test_what_only_tests_get_with_partywall_is_no_dependency(orders: Path) -> None:
    put(orders, "reading.py", "import pytest\n")
    assert [line for line in found(orders) if "PW007: pytest is not a dependency: add pytest to dependencies" in line]


def test_the_command_has_exit_codes(
    orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["check", str(orders)]) == 0
    assert capsys.readouterr() == ("", "")
    monkeypatch.chdir(orders)
    put(orders, "rights.py", "from partywall.core.rights import Right\n")
    assert run(["check"]) == 1
    printed = capsys.readouterr()
    assert "src/orders/rights.py:1: PW006: partywall.core.rights.Right is not stable: use partywall.api" in printed.out
    assert run(["check", "--explain", "pw012"]) == 0
    assert capsys.readouterr().out.startswith("# PW012: a migration changes tables of its feature only\n")


@pytest.mark.parametrize(
    ("project", "said"),
    [
        (None, "has no pyproject.toml: give the directory of a package"),
        ("[project", "cannot be read: "),
        ('project = "x"', "cannot be read: "),
        ("[project]\nname = 'x'", "has no entry point: name the feature below"),
        (
            '[project.entry-points."partywall.features"]\nx = "/etc:feature"',
            "names '/etc:feature': use the form orders.",
        ),
        ('[project.entry-points."partywall.features"]\nx = "nowhere.feature:feature"', "contains no package nowhere"),
    ],
)
def test_what_cannot_be_checked_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], project: str | None, said: str
) -> None:
    if project is not None:
        (tmp_path / "pyproject.toml").write_text(project)
    assert run(["check", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert said in printed.err


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "odd.py is no regular file: remove or rename it"),
        (Path.mkdir, "odd.py is no regular file: remove or rename it"),
        (lambda path: path.symlink_to("/dev/zero"), "odd.py leads out of the package"),
        (lambda path: path.symlink_to("/nowhere.py"), "odd.py leads out of the package"),
        (lambda path: path.write_text("\nx = (\n"), "odd.py:2: not valid Python: '(' was never closed: correct it"),
        (lambda path: path.write_bytes(b"# coding: nonsense\n"), "odd.py:1: not valid Python: unknown encoding"),
        (lambda path: path.write_bytes(b"x = '\xff'\n"), "odd.py:1: not valid Python: "),
        (lambda path: path.write_text("x = '\0'"), "odd.py:1: not valid Python: source code "),
        (lambda path: path.write_text("x = " + "-" * 100_000 + "1"), ": not valid Python: "),
        (lambda path: path.write_text("#" * (BYTES_AT_MOST + 1)), "odd.py is larger than 1000000 bytes: split it"),
    ],
)
def test_a_file_that_cannot_be_checked_is_one_line(
    orders: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], object], said: str
) -> None:
    make(orders / "src" / "orders" / "odd.py")
    assert run(["check", str(orders)]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert said in printed.err


def test_a_file_is_decoded_as_python_does_it(orders: Path) -> None:
    (orders / "src" / "orders" / "marked.py").write_bytes(b"\xef\xbb\xbfNAME = 'a'\n")
    (orders / "src" / "orders" / "old.py").write_bytes(b"# coding: latin-1\nNAME = '\xe9'\n")
    assert found(orders) == []


def test_a_file_is_no_directory_of_a_package(orders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(orders / "pyproject.toml")]) == 2
    assert capsys.readouterr().err.endswith("is no directory: give the directory of a package\n")
    (orders / "pyproject.toml").unlink()
    os.mkfifo(orders / "pyproject.toml")
    assert run(["check", str(orders)]) == 2
    assert capsys.readouterr().err.endswith("is no regular file: remove or rename it\n")


def test_an_unknown_rule_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--explain", "PW999"]) == 2
    assert capsys.readouterr().err == "partywall: there is no rule 'PW999': the rules are PW001 to PW023\n"

"""A declaration with a value of a wrong type, or with code that cannot be used, is one line and exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from partywall.cli import run
from tests.extensions.packages import FEATURE, WORK, Install

type Printed = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def enabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FEATURES__ENABLED", "orders")


def refusal(printed: Printed, *command: str) -> str:
    assert run(command) == 2
    said = printed.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert said.err.startswith("partywall: the feature orders ")
    return said.err


ROUTERS, RIGHTS = '(lazy("orders.router:router"),)', '(Right("orders.read", "see the orders", Role.VIEWER),)'
JOB = 'handles(JobKind("orders.remind", ProjectJobPayload), lazy("orders.work:remind"))'
MORE = '    models=lazy("orders.models"),\n'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (ROUTERS, '("orders.router:router",)', "has a value of type str in routers[0]: give Lazy["),
        (ROUTERS, 'lazy("orders.router:router")', "has a value of type Lazy in routers: give tuple[Lazy["),
        (ROUTERS, "(lazy(7),)", 'has lazy(a value of type int) in routers[0]: give lazy("module:name")'),
        (RIGHTS, '("read",)', "has a value of type str in rights[0]: give Right"),
        (RIGHTS, 'Right("orders.read", "see", Role.VIEWER)', "has a value of type Right in rights: give tuple[Right"),
        ("Role.VIEWER", '"viewer"', "has a value of type str in rights[0].least: give Role"),
        (f"({JOB},)", "(print,)", "has a value of type builtin_function_or_method in jobs[0]: give JobHandler"),
        ("ProjectJobPayload)", "dict)", "has the class dict in jobs[0].kind.payload: give type[P]"),
        ("ProjectJobPayload)", "ProjectJobPayload, True)", "has a value of type bool in jobs[0].kind.max_attempts"),
        ('"0 3 * * *"', "None", "has a value of type NoneType in schedules[0].cron: give str"),
        ('{"list_prices"}', "{7}", "has a value of type int in public_routes[0]: give str"),
        (MORE, 'loops={"orders.loop": print},\n', "has a value of type builtin_function_or_method in loops['orders.l"),
        (MORE, '    models="orders.models",\n', "has a value of type str in models: give Lazy[module] or None"),
        (MORE, "    settings=dict,\n", "has the class dict in settings: give Lazy["),
        (MORE, '    migrations=lazy("orders"),\n', "has a value of type Lazy in migrations: give str or None"),
    ],
)
def test_a_value_of_a_wrong_type_is_refused(install: Install, capsys: Printed, old: str, new: str, said: str) -> None:
    assert FEATURE.count(old) == 1
    install(feature=FEATURE.replace(old, new))
    assert said in refusal(capsys, "rights")


@pytest.mark.parametrize("command", ["openapi", "worker", "rights", "migrate"])
def test_every_command_that_loads_features_refuses_it(
    install: Install, monkeypatch: pytest.MonkeyPatch, capsys: Printed, command: str
) -> None:
    for name in ("DATABASE__ENGINE", "CACHE__ENGINE"):
        monkeypatch.setenv(name, "server")
    for name in ("DATABASE__URL", "DATABASE__OWNER_URL"):
        monkeypatch.setenv(name, "postgresql://partywall@localhost/partywall")
    monkeypatch.setenv("CACHE__URL", "redis://localhost")
    monkeypatch.setattr("partywall.commands.database.require_postgres", url)
    install(feature=FEATURE.replace(RIGHTS, '"read"'))
    assert "has a value of type str in rights" in refusal(capsys, command)


async def url(*_: object, **_more: object) -> str:
    return "postgresql://partywall@localhost/partywall"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("orders.router:router", "orders.router:list_orders", "names orders.router:list_orders, which is no APIRouter"),
        (
            MORE,
            '    models=lazy("orders.work:sweep"),\n',
            "has a value of type function in orders.work:sweep: give module",
        ),
        (
            MORE,
            '    settings=lazy("orders.work:Item"),\n',
            "has the class Item in orders.work:Item: give type[Section]",
        ),
        (MORE, '    tools=lazy("orders.work:Item"),\n', "has the class Item in orders.work:Item: give Sequence["),
        (MORE, '    tools=lazy("orders.work:ITEMS"),\n', "has a value of type int in orders.work:ITEMS[0]: give "),
        (
            MORE,
            '    tools=lazy("orders.work:TOOLS"),\n',
            "has the class dict in orders.work:TOOLS[0].input: give type[",
        ),
        (MORE, '    agents=lazy("orders.work:Item"),\n', "has the class Item in orders.work:Item: give Sequence["),
        (MORE, '    settings=lazy("orders.work:Wrong"),\n', "has settings without valid defaults: no default"),
    ],
)
def test_code_of_a_wrong_type_is_refused(install: Install, capsys: Printed, old: str, new: str, said: str) -> None:
    install(
        feature=FEATURE.replace(old, new),
        work=f"""{WORK}
from partywall.api.settings import Section
from partywall.api.tools import ProjectTool
class Item: ...
ITEMS = (1,)
TOOLS = (ProjectTool(name="orders_x", title="", description="", input=dict, output=dict, work=print),)
def missing(): raise BaseException("no default")
class Wrong(Section):
    x: int = __import__("pydantic").Field(default_factory=missing)
""",
    )
    assert said in refusal(capsys, "openapi")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"router": "raise BaseException('stop')"}, "orders.router:router, which cannot be imported: stop"),
        ({"router": "import asyncio\nraise asyncio.CancelledError"}, "cannot be imported: CancelledError"),
        ({"router": "from orders import other", "other": "from orders.router import router"}, "circular import"),
        ({"router": "raise ValueError('one\\n' * 500)"}, "cannot be imported: one one one"),
        ({"feature": "raise GeneratorExit"}, "cannot be imported: GeneratorExit"),
    ],
)
def test_whatever_an_import_raises_is_one_line(
    install: Install, capsys: Printed, changed: dict[str, str], said: str
) -> None:
    install(**changed)
    assert said in refusal(capsys, "openapi")


def test_an_interrupted_import_is_no_refusal(install: Install) -> None:
    install(feature="raise KeyboardInterrupt")
    assert run(["openapi"]) == 130

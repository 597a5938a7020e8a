"""Packages with a feature, as pip would install them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from partywall.extensions.enabled import enabled_features

type Install = Callable[..., None]

FEATURE = """
from partywall.api import EventType, Feature, JobKind, ProjectJobPayload, Right, Role, Schedule, handles, lazy

feature = Feature(
    name="orders",
    routers=(lazy("orders.router:router"),),
    public_routes=frozenset({"list_prices"}),
    rights=(Right("orders.read", "see the orders", Role.VIEWER),),
    events=(EventType("orders.paid", "order"),),
    jobs=(handles(JobKind("orders.remind", ProjectJobPayload), lazy("orders.work:remind")),),
    schedules=(Schedule("orders.sweep", "0 3 * * *", lazy("orders.work:sweep")),),
    models=lazy("orders.models"),
)
"""
ROUTER = """
from fastapi import APIRouter

router = APIRouter(prefix="/orders")

@router.get("/prices")
async def list_prices() -> None: ...

@router.get("")
async def list_orders() -> None: ...
"""
WORK = """
async def remind(context, payload): ...
async def sweep(resources): ...
"""
MODULES = {"feature": FEATURE, "router": ROUTER, "work": WORK, "models": ""}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Writes the package `orders` with its entry point; keyword arguments replace the text of its modules."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def write(*names: str, distribution: str = "acme-orders", **modules: str) -> None:
        package = tmp_path / "orders"
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
        for name, text in {**MODULES, **modules}.items():
            (package / f"{name}.py").write_text(dedent(text))
        info = tmp_path / f"{distribution.replace('-', '_')}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1\n")
        entries = "".join(f"{name} = orders.feature:feature\n" for name in names or ("orders",))
        (info / "entry_points.txt").write_text(f"[partywall.features]\n{entries}")

    yield write
    enabled_features.cache_clear()
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "orders":
            del sys.modules[name]

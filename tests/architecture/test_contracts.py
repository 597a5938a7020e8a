"""The import contracts of pyproject.toml, with tests that they can fail."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.architecture.layout import ROOT, feature_order

type BuildLayers = Callable[[dict[str, str]], Path]

RUN = "import sys; from importlinter.cli import lint_imports_command as run; run(sys.argv[1:])"
LAYERS = (
    "__main__", "cli", "commands", "client", "supervisor", "asgi", "worker", "server", "main", "resources", "logs",
    "adapter_options", "secret_key", "settings", "formats", "extensions", "api", "checks",
)  # fmt: skip
CORE = ("http", "jobs", "resources", "security", "events", "db", "tenancy", "errors", "ids", "clock")
SLICE = ("router", "dependencies", "service", "schemas", "repository", "models", "exceptions")


def lint_imports(root: Path, package_folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, "--config", str(root / "pyproject.toml"), "--no-cache", "--no-logo"],
        cwd=root,
        env={"PYTHONPATH": str(package_folder), "PYTHONSAFEPATH": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_contracts_are_kept() -> None:
    done = lint_imports(ROOT, ROOT / "src")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def build_layers(tmp_path: Path) -> BuildLayers:
    """A copy of the package's modules, empty except for the given lines."""

    def build(lines: dict[str, str]) -> Path:
        slice_modules = [f"features/{name}/{module}.py" for name in feature_order() for module in ("__init__", *SLICE)]
        core = [f"core/{name}/__init__.py" for name in CORE]
        packages = ["__init__.py", *(f"{name}/__init__.py" for name in ("core", "adapters", "features"))]
        packages += ["core/json_schema/__init__.py", "features/runs/execution/__init__.py"]
        for module_path in [*slice_modules, *core, *packages, *(f"{name}.py" for name in LAYERS)]:
            path = tmp_path / "partywall" / module_path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(lines.get(module_path, ""))
        contracts = (ROOT / "pyproject.toml").read_text().partition("[tool.importlinter]")[2]
        (tmp_path / "pyproject.toml").write_text(f"[tool.importlinter]{contracts}")
        return tmp_path

    return build


def test_the_empty_package_keeps_the_contracts(build_layers: BuildLayers) -> None:
    root = build_layers({})
    assert lint_imports(root, root).returncode == 0


@pytest.mark.parametrize(
    ("module_path", "line"),
    [
        ("core/__init__.py", "import partywall.features.accounts.service"),
        ("core/__init__.py", "import partywall.adapters"),
        ("adapters/__init__.py", "import partywall.features.accounts.service"),
        ("features/accounts/service.py", "import partywall.adapters"),
        ("features/accounts/service.py", "import partywall.resources"),
        ("resources.py", "import partywall.main"),
        ("worker.py", "import partywall.asgi"),
        ("client.py", "import partywall.core"),
        ("settings.py", "import partywall.core"),
        ("api.py", "import partywall.extensions"),
        ("features/accounts/service.py", "import partywall.api"),
        ("core/__init__.py", "import partywall.api"),
        ("extensions.py", "import partywall.main"),
        ("features/documents/service.py", "import partywall.features.documents.router"),
        ("features/documents/repository.py", "import partywall.features.documents.schemas"),
        ("features/documents/models.py", "import partywall.features.documents.repository"),
        ("features/runs/service.py", "import partywall.features.runs.execution"),
        ("features/runs/execution/__init__.py", "import partywall.features.runs.router"),
        ("features/budgets/service.py", "import partywall.features.agents.schemas"),
        ("core/db/__init__.py", "import partywall.core.http"),
        ("core/errors/__init__.py", "import partywall.core.tenancy"),
    ],
)
def test_a_forbidden_import_breaks_a_contract(build_layers: BuildLayers, module_path: str, line: str) -> None:
    root = build_layers({module_path: line + "\n"})
    done = lint_imports(root, root)
    assert done.returncode == 1, done.stdout
    assert "BROKEN" in done.stdout


@pytest.mark.parametrize(
    "line", ["from partywall.core import caches", "if TYPE_CHECKING:\n    import partywall.core.caches"]
)
def test_a_cycle_breaks_a_contract(build_layers: BuildLayers, line: str) -> None:
    root = build_layers({"core/jobs/__init__.py": f"from typing import TYPE_CHECKING\n{line}\n"})
    (root / "partywall/core/caches.py").write_text("import partywall.core.jobs\n")
    done = lint_imports(root, root)
    assert done.returncode == 1, done.stdout
    assert "BROKEN" in done.stdout


def test_a_cycle_inside_a_slice_breaks_a_contract(build_layers: BuildLayers) -> None:
    imports = ("import partywall.features.runs.models", "import partywall.features.runs.exceptions")
    root = build_layers({"features/runs/exceptions.py": imports[0], "features/runs/models.py": imports[1]})
    assert lint_imports(root, root).returncode == 1


def test_every_contract_is_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert [contract["id"] for contract in contracts] == [
        "layers",
        "slice",
        "runs",
        "budgets",
        "client",
        "core",
        "acyclic",
    ]

"""The figures that `make figures` prints, on small packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.figures import PACKAGE, code_lines, module_cycles, read_modules, sibling_cycles, slice_lists


def write(root: Path, files: dict[str, str]) -> Path:
    """The folder of a package with these files."""
    for name, text in {"__init__.py": "", **files}.items():
        path = root / "src" / PACKAGE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root / "src"


@pytest.mark.parametrize(
    "back",
    [
        "import partywall.a",
        "from partywall import a",
        "from partywall.a import thing",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import partywall.a",
    ],
)
def test_a_cycle_of_modules_is_found(tmp_path: Path, back: str) -> None:
    modules = read_modules(write(tmp_path, {"a.py": "import partywall.b", "b.py": back, "c.py": "import partywall.a"}))
    assert module_cycles(modules) == [["partywall.a", "partywall.b"]]


def test_imports_in_functions_count_separately(tmp_path: Path) -> None:
    modules = read_modules(
        write(tmp_path, {"a.py": "import partywall.b", "b.py": "def late():\n    import partywall.a"})
    )
    assert module_cycles(modules) == []
    assert module_cycles(modules, late=True) == [["partywall.a", "partywall.b"]]


def test_a_cycle_of_packages_needs_no_cycle_of_modules(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        {"one/a.py": "import partywall.two.b", "two/b.py": "", "two/c.py": "import partywall.one.d", "one/d.py": ""},
    )
    modules = read_modules(source)
    assert module_cycles(modules, late=True) == []
    assert sibling_cycles(modules) == [["partywall.one", "partywall.two"]]


def test_lines_of_code_exclude_blank_lines_and_comments() -> None:
    text = 'x = 1  # why\n\n# a comment\ny = """two\n\nlines"""\n'
    assert code_lines(text) == 4


def test_a_file_that_lists_the_slices_is_found(tmp_path: Path) -> None:
    names = ("accounts", "projects")
    imports = "\n".join(f"from partywall.features.{name}.routes import routes" for name in names)
    slices = {f"features/{name}/__init__.py": imports for name in names}
    source = write(tmp_path, {**slices, "features/routes.py": imports, "main.py": ""})
    (tmp_path / "pyproject.toml").write_text("(accounts) (projects)")
    assert slice_lists(source) == ["pyproject.toml", "src/partywall/features/routes.py"]

"""Each lint finds its errors and accepts the most similar correct code."""

from __future__ import annotations

from pathlib import PurePosixPath
from textwrap import dedent

import pytest

from partywall.checks.runner import run
from partywall.checks.source import Codebase, Finding, Source
from tests.architecture.lints import LINTS
from tests.architecture.lints_examples import CORRECT, INCORRECT, Example

ORDER = ("accounts", "projects", "live", "documents", "search")


def lint(files: dict[str, str], *rules: str) -> list[Finding]:
    statements = {path: text for path, text in files.items() if path.endswith(".sql")}
    sources = tuple(Source(PurePosixPath(path), dedent(files[path])) for path in files.keys() - statements.keys())
    chosen = {rule: LINTS[rule] for rule in rules} if rules else LINTS
    return run(Codebase(sources, ORDER, statements), chosen)


@pytest.mark.parametrize("example", INCORRECT, ids=lambda example: example.id)
def test_finds(example: Example) -> None:
    found = lint(example.files, example.rule)
    assert [finding.rule for finding in found] == [example.rule], example.files


@pytest.mark.parametrize("example", CORRECT, ids=lambda example: example.id)
def test_leaves_alone(example: Example) -> None:
    assert lint(example.files, example.rule) == []


def test_every_lint_has_an_example_of_both_kinds() -> None:
    assert {example.rule for example in INCORRECT} == set(LINTS)
    assert {example.rule for example in CORRECT} == set(LINTS)


def test_a_finding_names_the_place() -> None:
    [finding] = lint({"features/documents/service.py": "import os\nx = os.getenv('X')\n"}, "environ")
    assert str(finding).startswith("src/partywall/features/documents/service.py:2: environ: ")


ESCAPED = """\
import os

a = os.getenv("A")  # lint: allow environ - the child process gets a cleaned copy
# lint: allow environ - the child process gets a cleaned copy
# (two lines of comment are still directly above)
b = os.getenv("B")
"""


def test_an_escape_with_a_reason_covers_its_line_or_the_next() -> None:
    assert lint({"core/x.py": ESCAPED}, "environ") == []


@pytest.mark.parametrize(
    ("comment", "complaint"),
    [
        ("# lint: allow environ", "give the reason why"),
        ("# lint: allow environ - why", "give the reason why"),
        ("# lint: allow enviorn - the child process gets a cleaned copy", "no rule is named"),
        ("# lint: allow environ - the child process gets a cleaned copy\n\ny = 1", "nothing here violates"),
    ],
    ids=["no-reason", "lazy-reason", "misspelt", "stale"],
)
def test_a_bad_escape_is_a_finding(comment: str, complaint: str) -> None:
    code = "y = 1\n" if "\n" in comment else "import os\nx = os.getenv('X')  "
    found = lint({"core/x.py": code + comment + "\n"}, "environ")
    assert any(finding.rule == "escape" and complaint in finding.message for finding in found)


def test_an_escape_inside_a_string_is_text() -> None:
    text = 'import os\nx = os.getenv("# lint: allow environ - the child process gets a copy")\n'
    assert [finding.rule for finding in lint({"core/x.py": text}, "environ")] == ["environ"]


def test_an_escape_covers_only_its_own_rule() -> None:
    text = "import os\nx = os.getenv('X')  # lint: allow print - wrong rule but a reason\n"
    assert {finding.rule for finding in lint({"core/x.py": text}, "environ", "print")} == {
        "environ",
        "escape",
    }

"""The requirement trace and the decision records are complete and match the repository."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.architecture.layout import ROOT

TRACE = ROOT / "docs" / "requirements.md"
RECORDS = ROOT / "docs" / "adr"
HIGHEST = {"S": 11, "I": 11, "W": 3, "O": 6, "A": 7, "C": 5, "E": 5, "B": 5, "P": 8, "T": 4, "D": 17}
IDS = [f"{letter}{number}" for letter, last in HIGHEST.items() for number in range(1, last + 1)]
STATES = {"done", "partly", "later"}
PROOFS = ("tests/", "bench/", ".ci/", "Makefile")
HEADINGS = ["Context", "Decision", "Consequences", "Alternatives"]


# In backticks, or at the start of a line in a code block, after optional environment variables.
MAKES = re.compile(r"(?m)(?:`|^(?:[A-Z_]+=\S+ )*)make ([a-z][\w-]*)")
MODULES = re.compile(r"\bpython3? -m ((?:bench|tests|tools)(?:\.\w+)*)")


@dataclass(frozen=True)
class Row:
    id: str
    what: str
    where: str
    proof: str
    state: str

    @property
    def paths(self) -> list[str]:
        return paths_in(self.where) + paths_in(self.proof)

    @property
    def places(self) -> list[tuple[str, str]]:
        """The files with the tests in them that are named individually."""
        return re.findall(r"`([^`:]+)::(\w+)`", self.proof)


def _has(path: str, test: str) -> bool:
    return re.search(rf"(?m)^(?:async )?def {test}\(", (ROOT / path).read_text()) is not None


def paths_in(text: str) -> list[str]:
    """Text in backticks with a slash or a file extension; a test in the file may follow `::`."""
    quoted = [part.partition("::")[0] for part in re.findall(r"`([^`]+)`", text)]
    return [part for part in quoted if "/" in part or re.search(r"\.(?:py|md|toml|yaml|txt)$|^Makefile$", part)]


def rows() -> list[Row]:
    lines = TRACE.read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| [A-Z]\d", line)]
    return [Row(*line) for line in cells]


def test_every_requirement_stands_in_the_trace_once() -> None:
    assert sorted(row.id for row in rows()) == sorted(IDS)


@pytest.mark.parametrize("requirement", IDS)
def test_what_the_trace_says_exists(requirement: str) -> None:
    [row] = [row for row in rows() if row.id == requirement]
    assert row.state.split(":")[0] in STATES
    assert [path for path in row.paths if not (ROOT / path).exists()] == []
    assert [place for place in row.places if not _has(*place)] == []
    if row.state == "later":
        return
    assert row.what
    assert paths_in(row.where), "names no file"
    assert any(path.startswith(PROOFS) for path in paths_in(row.proof)), "names no proof"


def test_a_partly_met_requirement_says_what_is_missing() -> None:
    assert [row.id for row in rows() if row.state.startswith("partly") and len(row.state) < len("partly: x") + 8] == []


def records() -> list[Path]:
    return sorted(RECORDS.glob("[0-9]*.md"))


def test_records_are_numbered_without_gaps_and_listed() -> None:
    assert [int(path.name[:4]) for path in records()] == list(range(1, len(records()) + 1))
    index = (RECORDS / "README.md").read_text()
    assert [path.name for path in records()] == re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", index)


@pytest.mark.parametrize("record", records(), ids=lambda path: path.name)
def test_a_record_is_one_page_with_the_four_headings(record: Path) -> None:
    text = record.read_text()
    assert re.findall(r"(?m)^## (.+)$", text) == HEADINGS
    assert re.search(r"(?m)^Status: (?:accepted|replaced by \d{4})\.", text)
    assert len(text.splitlines()) <= 60


def test_every_decision_has_a_record() -> None:
    answered = set(re.findall(r"\bD\d+\b", (RECORDS / "README.md").read_text()))
    assert answered == {requirement for requirement in IDS if requirement.startswith("D")}


def pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def makes_in(text: str) -> set[str]:
    """The make targets in a page; the verb "make" in prose has no backtick before it."""
    return set(MAKES.findall(text))


def test_documents_link_to_files_that_exist() -> None:
    """Relative links in every Markdown file; anchors and URLs are not checked."""
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages()
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text())
        if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists()
    ]
    assert broken == []


def test_documents_name_targets_that_the_makefile_has() -> None:
    targets = set(re.findall(r"(?m)^([a-z][\w-]*):", (ROOT / "Makefile").read_text()))
    named = {page: makes_in(page.read_text()) for page in pages()}
    assert {"serve", "test", "bench-attacks"} <= set().union(*named.values())
    unknown = [f"{page.relative_to(ROOT)}: make {each}" for page, made in named.items() for each in made - targets]
    assert unknown == []


def test_targets_are_found_wherever_a_document_can_name_one() -> None:
    text = "`make one`, which can make nothing\n\n```sh\nmake two   # and make three\nA=b C_D=1 make four-five\n```\n"
    assert makes_in(text) == {"one", "two", "four-five"}


def test_documents_and_the_makefile_name_modules_that_exist() -> None:
    """Our own modules outside the package, in `python -m`; a package needs a `__main__`."""
    found = {page: MODULES.findall(page.read_text()) for page in pages()}
    makefile = ROOT / "Makefile"
    found[makefile] = re.findall(r"\$\(RUN\) (bench[\w.]*)", makefile.read_text())
    assert sum(map(len, found.values())) > len(found[makefile]) > 0
    missing = [f"{page.relative_to(ROOT)}: {name}" for page, names in found.items() for name in names if not runs(name)]
    assert missing == []


def runs(module: str) -> bool:
    place = ROOT.joinpath(*module.split("."))
    return place.with_suffix(".py").exists() or (place / "__main__.py").exists()

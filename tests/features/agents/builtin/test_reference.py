"""The reference page matches the code."""

from __future__ import annotations

import re
from typing import cast

import pytest

from partywall.core.json_schema import checker, formats, limits, patterns
from partywall.features.agents.builtin import AGENTS, document_pages
from partywall.features.agents.builtin.draft import MOST_CONTENT
from partywall.features.agents.builtin.schemas import MOST_CITATIONS, MOST_DOCUMENTS, MOST_QUOTED, Citation
from partywall.features.agents.definition import AnyAgent
from tests.architecture.layout import ROOT

PAGE = (ROOT / "docs" / "reference" / "agents.md").read_text()
every_agent = pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: cast("AnyAgent", agent).name)


def section(agent: AnyAgent) -> str:
    return PAGE.split(f"\n## {agent.name}\n")[1].split("\n## ")[0]


def fields(text: str, kind: str) -> dict[str, str]:
    """The fields of the table with this heading, each with its row."""
    [rows] = re.findall(rf"(?m)^\| {kind} \| \| \|\n\|---\|---\|---\|\n((?:\|.*\n)+)", text)
    return {name: row for row in rows.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])}


@every_agent
def test_the_tables_name_every_field(agent: AnyAgent) -> None:
    names = {field.alias or name for name, field in agent.input.model_fields.items()}
    assert set(fields(section(agent), "input")) == names
    output = fields(section(agent), "output")
    assert set(output) == set(agent.output.model_fields)
    assert {name for name, row in output.items() if "*computed*:" in row or row.endswith("*computed* |")} == getattr(
        agent.output, "server_fields", set()
    )


def test_the_table_of_citations_names_every_field() -> None:
    rows = fields(PAGE, "citation")
    assert set(rows) == set(Citation.model_fields)
    assert {name for name, row in rows.items() if "*computed*" in row} == Citation.server_fields


@every_agent
def test_the_limits_and_tools_are_those_of_the_code(agent: AnyAgent) -> None:
    limits = agent.limits
    minutes = int(limits.time.total_seconds()) // 60
    row = f"| `{agent.name}` | {limits.model_calls} | {limits.tool_calls} | {limits.tokens:,} | {minutes} min |"
    assert row in PAGE
    tools = ", ".join(f"`{tool.name}`" for tool in agent.tools)
    assert re.search(rf"(?m)^\| `{agent.name}` \| .+ \| {tools} \|$", PAGE)


@pytest.mark.parametrize(
    "limit",
    [
        f"pages of {document_pages.PAGE_CHARACTERS:,} characters",
        f"at most {document_pages.MOST_CHARACTERS:,}",
        f"{document_pages.PASSAGES} passages of at most {document_pages.PASSAGE_CHARACTERS:,}",
        f"(1 to {MOST_DOCUMENTS})",
        f"at most {MOST_CITATIONS}",
        f"up to {MOST_QUOTED:,} characters",
        f"at most {MOST_CONTENT:,}",
        f"at most {limits.MAX_BYTES:,} bytes, {limits.MAX_SUBSCHEMAS} parts",
        f"at most {limits.MAX_PATTERNS} of {patterns.MAX_CHARACTERS} characters",
        f"take {patterns.MAX_COMPILED:,} bytes",
        f"more than {checker.MAX_STEPS:,} of them",
        (f"{checker.MAX_CHARACTERS:,} characters, or with an integer of more than {checker.MAX_DIGITS} digits"),
        *[f"`{name}`" for name in formats.FORMATS],
    ],
)
def test_the_page_knows_the_limit(limit: str) -> None:
    assert limit in PAGE.replace("\n", " ")

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core.core_schema import ErrorType

from partywall.core.field_errors import CODES, FieldCode, field_errors
from partywall.testing.users import Users

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "partywall"
PAGE = ROOT / "docs" / "reference" / "http-api.md"


def own_kinds() -> set[str]:
    """The error types that our validators raise."""
    calls = [
        node
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "PydanticCustomError"
    ]
    return {str(node.args[0].value) for node in calls if isinstance(node.args[0], ast.Constant)}


def test_every_kind_of_error_has_a_code() -> None:
    known = set(get_args(ErrorType))
    assert own_kinds() - CODES.keys() == set()
    assert CODES.keys() - known - own_kinds() == set()


def test_every_code_is_documented() -> None:
    table = PAGE.read_text().partition("## Codes of single values")[2]
    named = [code for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for code in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(code.value for code in FieldCode)


class Given(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=3)
    rank: int = Field(ge=1)
    needed: str


def test_an_error_has_a_pointer_and_a_code() -> None:
    with pytest.raises(ValidationError) as found:
        Given.model_validate({"name": "long", "rank": 0, "a/b": 1})
    errors = field_errors(found.value.errors(), "/input")["errors"]
    assert isinstance(errors, list)
    assert [(each["pointer"], each["code"]) for each in errors if isinstance(each, dict)] == [
        ("/input/name", "too_long"), ("/input/rank", "too_small"), ("/input/needed", "missing"),
        ("/input/a~1b", "unknown_field"),
    ]  # fmt: skip


async def test_every_error_of_an_answer_has_a_code(app: FastAPI, users: Users) -> None:
    client = (await users.person()).client
    made = await client.post("/api/v1/projects", json={"name": "", "more": 1})
    listed = await client.get("/api/v1/projects", params={"limit": "many", "cursor": "AAAA"})
    foreign = await client.get("/api/v1/projects", params={"cursor": "AAAA"})
    errors = [
        [(each["pointer"], each["code"]) for each in answer.json()["errors"]] for answer in (made, listed, foreign)
    ]
    assert errors == [
        [("/name", "too_short"), ("/more", "unknown_field")], [("/query/limit", "wrong_type")],
        [("/query/cursor", "bad_cursor")],
    ]  # fmt: skip
    assert app.openapi()["components"]["schemas"]["FieldProblem"]["required"] == ["pointer", "code", "message"]

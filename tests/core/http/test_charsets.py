"""Bodies and queries in other encodings are refused."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from fastapi import FastAPI

from partywall.core.http.charsets import other_charset
from partywall.testing.users import Users
from tests.core.http.test_answers import assert_problem


@pytest.mark.parametrize("name", ['"a\\u0000b"', '"\\ud800"', "NaN", "[]", "null", "1e400"])
async def test_characters_that_cannot_be_stored_are_refused(users: Users, name: str) -> None:
    person = await users.person()
    answer = await person.client.post(
        "/api/v1/projects", content=f'{{"name": {name}}}', headers={"Content-Type": "application/json"}
    )
    assert_problem(answer, 422, "validation_failed")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/name"]


# None of them is plainly UTF-8: programs read these headers in different ways.
_OTHER_CHARSETS = (
    "; Charset=latin-1",
    '; Charset = "UTF-16"',
    "; charset=utf-8;charset=utf-7",
    "; charset*=utf-16",
    "; charset*=UTF-8''latin-1",
    "; charset*0=lat; charset*1=in-1",
    '; charset=" utf-16"',
    '; charset="utf-8 utf-16"',
    '; charset="" utf-16',
    '; charset="utf-8"latin-1',
    '; charset="utf\\-16"',
    "; x=y, charset=utf-16",
    "; charset utf-16",
)


async def test_a_body_in_another_charset_is_refused_by_every_route(users: Users, app: FastAPI) -> None:
    person = await users.person()
    project, found = await person.project(), 0
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            for media_type in operation.get("requestBody", {"content": {}})["content"]:
                url = re.sub(r"{[a-z_]+}", f"{uuid4()}", path.replace("{project_id}", f"{project}"))
                content_type = media_type + ("; boundary=x" if media_type.startswith("multipart/") else "")
                headers = {"Content-Type": content_type + _OTHER_CHARSETS[found % len(_OTHER_CHARSETS)]}
                answer = await person.client.request(method, url, content=b"{}", headers=headers)
                assert_problem(answer, 415, "unsupported_media_type")
                found += 1
    assert found > len(_OTHER_CHARSETS)


@pytest.mark.parametrize("charset", _OTHER_CHARSETS)
def test_an_ambiguous_charset_is_not_utf8(charset: str) -> None:
    for media_type in ("application/json", "application/problem+json", "text/plain"):
        assert other_charset((media_type + charset).encode()) is not None


@pytest.mark.parametrize(
    "charset", ["", "; charset=", '; charset=""', "; charset", "; charset=UTF8 ; a=b", "; x-charset=a"]
)
def test_the_default_charset_is_utf8(charset: str) -> None:
    assert other_charset(f"application/json{charset}".encode()) is None


async def test_utf8_may_be_named(users: Users) -> None:
    person = await users.person()
    for charset in ("utf-8", '"UTF-8"', "utf8", "us-ascii"):
        headers = {"Content-Type": f"application/json; charset={charset}"}
        answer = await person.client.post("/api/v1/projects", content='{"name": "\u00fc"}'.encode(), headers=headers)
        assert (answer.status_code, answer.json()["name"]) == (201, "\u00fc"), answer.text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be"])
async def test_json_in_another_encoding_is_refused(users: Users, encoding: str) -> None:
    person = await users.person()
    raw = '{"name": "x", "title": "x", "content": "y"}'.encode(encoding)
    for path in ("/api/v1/projects", f"/api/v1/projects/{await person.project()}/documents"):
        answer = await person.client.post(path, content=raw, headers={"Content-Type": "application/json"})
        assert_problem(answer, 400, "invalid_json")


@pytest.mark.parametrize("query", ["sort=%ff", "cursor=%ED%A0%80", "%80=1"])
async def test_a_query_that_is_not_utf8_is_refused(users: Users, query: str) -> None:
    person = await users.person()
    assert_problem(await person.client.get(f"/api/v1/projects?{query}"), 400, "bad_request")

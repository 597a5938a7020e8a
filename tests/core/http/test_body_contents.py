"""Bodies that were admitted and are refused for what they contain."""

from __future__ import annotations

import json

import pytest

from partywall.core.http.body_limits import has_more_values_than
from partywall.testing.users import Users
from tests.core.http.bytes import PROJECTS, ask, bearer, documents, head
from tests.features.live.server import Serving

JSON = "Content-Type: application/json"


@pytest.mark.parametrize(
    ("limit", "text", "more"),
    [
        (3, b'{"a":1,"b":2}', False),
        (3, b'{"a":1,"b":2,"c":3}', True),
        (3, b'{"a":",,,,[[[{{{"}', False),
        (3, b'{"a":"\\",,,\\\\","b":",,,,\\\\\\",[[["}', False),
        (3, b'"\\\\",[,{,', True),
        (3, b",,," + b'"' * 100, True),
        (3, b"", False),
        (100, b"[" * 99, False),
        (100, b"[" * 101, True),
    ],
)
def test_values_are_counted_without_those_in_text(limit: int, text: bytes, more: bool) -> None:
    assert has_more_values_than(limit, text) is more


async def test_bodies_of_many_values_are_refused(users: Users, server: Serving) -> None:
    owner = await users.person()
    project = await owner.project()
    for path, body in (
        (PROJECTS, b"[" + b"{}," * 6_000 + b"{}]"),
        (documents(project), b"[" + b"{}," * 250_000 + b"{}]"),
        ("/api/v1/auth/register", json.dumps({f"k{n}": 1 for n in range(200)}).encode()),
    ):
        headers = (f"Content-Length: {len(body)}", JSON, bearer(owner.token))
        answer = await ask(server, head("POST", path, *headers), body)
        assert (answer.status, answer.code) == (413, "content_too_large")


async def test_only_a_few_of_many_errors_are_listed(users: Users, server: Serving) -> None:
    owner = await users.person()
    project = await owner.project()
    unknown = json.dumps({f"k{n}": 1 for n in range(4_000)}).encode()
    bad = json.dumps({"documents": [{"title": 1, "content": 2, "x": 3}] * 400}).encode()
    for path, body, more in ((PROJECTS, unknown, None), (f"{documents(project)}/batch", bad, 400 * 3 - 20)):
        headers = (f"Content-Length: {len(body)}", JSON, bearer(owner.token))
        answer = await ask(server, head("POST", path, *headers), body)
        assert (answer.status, answer.code) == (422, "validation_failed")
        assert len(json.loads(answer.body)["errors"]) <= 20
        assert len(answer.body) < 10_000
        assert json.loads(answer.body).get("more_errors") == more


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"name": 1e999999}', 422),
        (b'{"name": ' + b"9" * 5000 + b"}", 400),
        (b"[" * 4_000, 400),
        (b'{"a":' * 2_000 + b"1" + b"}" * 2_000, 400),
        (b'{"name": "x", "description": "' + b"\\ud800" + b'"}', 422),
        (b"\xff\xfe{\x00}\x00", 400),
        (b'{"name": -}', 400),
    ],
)
async def test_strange_json_is_refused(users: Users, server: Serving, body: bytes, status: int) -> None:
    owner = await users.person()
    answer = await ask(server, head("POST", PROJECTS, f"Content-Length: {len(body)}", JSON, bearer(owner.token)), body)
    assert answer.status in {status, 422}
    assert answer.code


async def test_a_form_has_few_parts(users: Users, server: Serving) -> None:
    owner = await users.person()
    path = f"{documents(await owner.project())}/upload"
    part = b'--b\r\nContent-Disposition: form-data; name="n%d"%b\r\n\r\n%b\r\n'
    file = part % (0, b'; filename="a.txt"', b"x")
    for parts in (
        [part % (n, b"", b"x") for n in range(100)],
        [part % (n, b'; filename="a.txt"', b"x") for n in range(100)],
        [file, part % (1, b"", b"y" * 400_000)],
        [b'--b\r\nContent-Disposition: form-data; name="file"\r\nX: ' + b"z" * 9_000 + b"\r\n\r\nx\r\n"],
        [b'--b\r\nContent-Disposition: form-data; name="file"\r\n' + b"X: z\r\n" * 900 + b"\r\nx\r\n"],
    ):
        body = b"".join(parts) + b"--b--\r\n"
        headers = (f"Content-Length: {len(body)}", "Content-Type: multipart/form-data; boundary=b", bearer(owner.token))
        answer = await ask(server, head("POST", path, *headers), body)
        assert (answer.status, answer.code) == (400, "bad_request")

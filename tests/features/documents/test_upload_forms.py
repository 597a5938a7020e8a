"""The fields, names and charsets of an upload's form."""

from __future__ import annotations

import json

import pytest

from partywall.settings import Settings
from tests.features.documents.conftest import Workspace, files


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ({"title": "x" * 501}, "/title"),
        ({"title": "a\x00b"}, ""),
        ({"external_id": "x" * 513}, "/external_id"),
        ({"metadata": "{"}, "/metadata"),
        ({"metadata": "[]"}, "/metadata"),
        ({"metadata": '{"a": NaN}'}, ""),
        ({"metadata": '{"a": "\\u0000"}'}, ""),
        ({"metadata": '{"a": 1e308}'}, "/metadata/a"),
        ({"metadata": "[" * 100_000}, "/metadata"),
        ({"metadata": json.dumps({"a": "x" * 70_000})}, "/metadata"),
        ({"owner": "me"}, "/owner"),
    ],
)
async def test_a_bad_field_is_refused(
    workspace: Workspace, settings: Settings, data: dict[str, str], pointer: str
) -> None:
    answer = await workspace.post("/upload", files={"file": ("a.txt", b"x", "text/plain")}, data=data)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), answer.text
    if pointer:
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert files(settings, workspace) == []


def named(name: bytes) -> bytes:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\nContent-Type: text/plain\r\n\r\n'
    return head % name + b"a\r\n--x--\r\n"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (b"a\x00.txt", "bad_character"),
        (b"a\x1b[31m.txt", "bad_character"),
        (b"dir\x01/a\x7f.txt", "bad_character"),
        ("\u202etxt.exe".encode(), "bad_character"),
        (b"\xff.txt", "bad_character"),
        (b"\xed\xa0\x80.txt", "bad_character"),
        (b"x" * 252 + b".txt", "too_long"),
        (b"x" * 10_000, None),
    ],
)
async def test_a_name_that_no_file_should_have_is_refused(
    workspace: Workspace, settings: Settings, name: bytes, code: str | None
) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await workspace.post("/upload", content=named(name), headers=headers)
    assert answer.status_code == (400 if code is None else 422), answer.text
    if code is not None:
        assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [("/file", code)]
    assert (await workspace.get()).json()["items"] == []
    assert files(settings, workspace) == []


async def test_the_name_that_is_kept_is_the_files_own(workspace: Workspace) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x; charset=UTF-8"}
    made = await workspace.post("/upload", content=named("../../etc/\u00fcb\u200bung.txt".encode()), headers=headers)
    answer = await workspace.get(f"/{made.json()['id']}/content", params={"original": True})
    assert answer.headers["content-disposition"].endswith("filename*=UTF-8''%C3%BCb%E2%80%8Bung.txt")


@pytest.mark.parametrize("charset", ["latin-1", "unicode_escape", "punycode", "undefined", "utf-8; charset=utf-16"])
async def test_a_form_in_another_charset_is_refused(workspace: Workspace, charset: str) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"}
    answer = await workspace.post("/upload", content=named(b"a.txt"), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("name", "header"),
    [
        (b'title"', b"Content-Type: text/plain; charset=latin-1"),
        (b'title"', b"Content-Type: text/plain\r\ncontent-type: text/plain; charset*=utf-16"),
        (b'title"', b'Content-Type: text/plain; charset=" utf-7"'),
        (b'title"', b"Content-Transfer-Encoding: base64"),
        (b'title"', b"Content-Encoding: gzip"),
        (b'file"; filename="a.txt"', b"Content-Transfer-Encoding: base64"),
        (b'file"; filename="a.txt"', b"Content-Encoding: gzip"),
    ],
)
async def test_a_part_that_is_coded_or_a_field_in_another_charset_is_refused(
    workspace: Workspace, settings: Settings, name: bytes, header: bytes
) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="' + name + b"\r\n" + header + b"\r\n\r\n+AOk-\r\n"
    rest = named(b"a.txt") if name.startswith(b"title") else b"--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await workspace.post("/upload", content=part + rest, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type"), answer.text
    assert (await workspace.get()).json()["items"] == []
    assert files(settings, workspace) == []


async def test_a_part_may_say_that_it_is_as_it_is(workspace: Workspace) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="title"\r\nContent-Type: text/plain; charset="UTF-8"\r\n'
    plain = part + "Content-Transfer-Encoding: 8bit\r\n\r\ncaf\u00e9\r\n".encode()
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await workspace.post("/upload", content=plain + named(b"a.txt"), headers=headers)
    assert (answer.status_code, answer.json()["title"]) == (201, "caf\u00e9"), answer.text


@pytest.mark.parametrize(
    ("name", "value", "pointer", "code"),
    [
        (b"title", b"caf\xe9", "/title", "bad_character"),
        (b"external_id", b"\xff", "/external_id", "bad_character"),
        (b"metadata", b'{"a": "\xe9"}', "/metadata/a", "bad_character"),
        (b"metadata", b'{"\xe9": 1}', "/metadata", "bad_character"),
        (b"titl\xe9", b"x", "/titl?", "unknown_field"),
    ],
)
async def test_a_field_that_is_not_utf8_is_refused(
    workspace: Workspace, name: bytes, value: bytes, pointer: str, code: str
) -> None:
    """It must not be decoded as Latin-1."""
    field = b'--x\r\nContent-Disposition: form-data; name="' + name + b'"\r\n\r\n' + value + b"\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x; charset=utf-8"}
    answer = await workspace.post("/upload", content=field + named(b"a.txt"), headers=headers)
    assert answer.status_code == 422, answer.text
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]
    assert (await workspace.get()).json()["items"] == []


async def test_the_fields_of_a_form_are_utf8(workspace: Workspace) -> None:
    made = await workspace.post("/upload", files={"file": ("a.txt", b"x")}, data={"title": "caf\u00e9 \U0001f600"})
    assert (made.status_code, made.json()["title"]) == (201, "caf\u00e9 \U0001f600")


async def test_an_upload_needs_a_file(workspace: Workspace) -> None:
    assert (await workspace.post("/upload", data={"title": "x"})).status_code == 422
    assert (await workspace.post("/upload", json={"title": "x"})).status_code == 415
    assert (await workspace.post("/upload", data={"file": "x"})).status_code == 422
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await workspace.post("/upload", content=b"--y\r\nnonsense", headers=broken)).status_code in (400, 422)

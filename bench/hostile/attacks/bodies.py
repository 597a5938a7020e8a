"""Bodies that cost more to read than to send, with and without a credential."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Awaitable, Callable, Iterable

from bench.hostile.attack import Attack
from bench.hostile.hostile import API, Hostile

MB = 1_000_000
FORM = "application/x-www-form-urlencoded"

type Run = Callable[[Hostile], Awaitable[None]]


def anonymous(
    path: str, build: Callable[[], bytes], *, content_type: str = "application/json", connections: int = 1
) -> Run:
    """Sends the same body repeatedly on each connection, without a credential."""

    async def run(hostile: Hostile) -> None:
        data = hostile.ask("POST", API + path, build(), Content_Type=content_type)
        hostile.begin()
        await hostile.flood(itertools.repeat(data), connections=connections, most=40)

    return run


def known(
    path: str, build: Callable[[], Iterable[bytes]], *, method: str = "POST", most: int = 60, **headers: str
) -> Run:
    """Sends to a path of the attack's project, with a credential."""

    async def run(hostile: Hostile) -> None:
        await hostile.set_up()
        target = hostile.here + path
        if "{document}" in target:
            target = target.replace("{document}", await hostile.new_document())
        lines = [hostile.ask(method, target, body, **headers) for body in build()]
        hostile.begin()
        await hostile.flood(itertools.cycle(lines), connections=2, most=most)

    return run


def numbered_keys(count: int) -> bytes:
    return b'{"email":"a@b.example",' + b",".join(b'"k%d":1' % n for n in range(count)) + b"}"


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return b'{"title":"a","content":"a","metadata":{"a":' + opening * depth + b"1" + closing * depth + b"}}"


def with_metadata(value: object) -> bytes:
    return json.dumps({"title": "a", "content": "a", "metadata": value}).encode()


def batch(document: object, count: int = 500) -> bytes:
    return json.dumps({"documents": [document] * count}).encode()


def braces() -> bytes:
    return b"[" + b"{}," * (11 * MB) + b"{}]"


def odd() -> list[bytes]:
    wide = '{"title":"a"}'.encode("utf-16")
    return [b"\xef\xbb\xbf{}", wide, b"{" * MB, b'"' + b"\x00" * MB, b'{"a":1,' * MB, b"\xff" * MB]


def password() -> bytes:
    return b"grant_type=password&username=a&password=" + b"%41" * (11 * MB)


def run_input() -> bytes:
    fields: dict[str, object] = {f"k{n}": [] for n in range(500_000)}
    return json.dumps({"agent": "bench", "input": {"task": "a", **fields}}).encode()


def depths() -> list[bytes]:
    return [nested(50), nested(900), nested(100_000), nested(50_000, b'{"a":', b"}")]


def huge_integers() -> list[bytes]:
    return [b'{"title":' + b"9" * size + b"}" for size in (4000, 100_000, 8 * MB)]


def keyed(count: int, value: object = 1) -> dict[str, object]:
    return {f"k{n}": value for n in range(count)}


ATTACKS = (
    Attack("braces-anonymous", 2, "33 MB of `{},` to `POST /projects`, no token", anonymous("/projects", braces)),
    Attack(
        "braces-register",
        2,
        "the same to `/auth/register`, 3 at once",
        anonymous("/auth/register", braces, connections=3),
    ),
    Attack(
        "unknown-keys",
        2,
        "600,000 unknown keys to `/auth/register`",
        anonymous("/auth/register", lambda: numbered_keys(600_000)),
    ),
    Attack(
        "unknown-keys-known",
        2,
        "600,000 unknown keys to `POST /documents`",
        known("/documents", lambda: [numbered_keys(600_000)]),
    ),
    Attack(
        "form-fields",
        2,
        "1,000,000 form fields to `/auth/token`",
        anonymous("/auth/token", lambda: b"a=1&" * MB, content_type=FORM),
    ),
    Attack("form-value", 2, "a 33 MB password to `/auth/token`", anonymous("/auth/token", password, content_type=FORM)),
    Attack(
        "deep-json-anonymous", 2, "100,000 nested lists, no token", anonymous("/auth/register", lambda: b"[" * 100_000)
    ),
    Attack("deep-json", 2, "nested lists and objects in metadata", known("/documents", depths)),
    Attack("huge-integers", 2, "integers of 4,000 to 8,000,000 digits", known("/documents", huge_integers)),
    Attack(
        "escapes",
        2,
        "30 MB of `\\u0061` in a document",
        known("/documents", lambda: [b'{"title":"a","content":"' + rb"\u0061" * (5 * MB) + b'"}'], most=10),
    ),
    Attack("odd-json", 2, "byte order marks, UTF-16, NULs, unclosed JSON of 7 MB", known("/documents", odd)),
    Attack(
        "metadata-keys", 2, "metadata of 100,000 keys", known("/documents", lambda: [with_metadata(keyed(100_000))])
    ),
    Attack(
        "metadata-list",
        2,
        "metadata with a list of 500,000",
        known("/documents", lambda: [with_metadata({"a": [{}] * 500_000})]),
    ),
    Attack(
        "metadata-patch",
        2,
        "merge patches of 50,000 keys",
        known(
            "/documents/{document}", lambda: [json.dumps({"metadata": keyed(50_000, None)}).encode()], method="PATCH"
        ),
    ),
    Attack(
        "batch-errors",
        2,
        "batches of 500 with 200 unknown fields each",
        known("/documents/batch", lambda: [batch(keyed(200)), batch({})]),
    ),
    Attack("batch-many", 2, "a batch of 1,000,000 numbers", known("/documents/batch", lambda: [batch(1, MB)])),
    Attack(
        "gzip-bomb",
        2,
        "`Content-Encoding: gzip`, 100 MB in 100 KB",
        known("/documents", lambda: [gzip.compress(b"a" * (100 * MB), 1)], Content_Encoding="gzip"),
    ),
    Attack("run-input", 2, "a run's input with 500,000 keys", known("/runs", lambda: [run_input()])),
)

from __future__ import annotations

import base64
import json
import random
import string

import pytest

from partywall.features.search.chunker import chunk_text

RANDOM = random.Random(7)
IMAGE = base64.b64encode(RANDOM.randbytes(300_000)).decode()
NAMES = ["".join(RANDOM.choices(string.ascii_lowercase, k=2)) for _ in range(400)]
# As dense as minified jQuery, with some less dense parts.
PROGRAM = ";".join(
    f"function {name}(a,b){{return {'this instanceof ' * (9 * (number % 60 == 0))}a.set({name},b.get([{name},1e3]))}}"
    for number, name in enumerate(NAMES * 12)
)
WRAPPED = "\n".join(IMAGE[start : start + 76] for start in range(0, len(IMAGE), 76))
BEFORE = "The quay opens at six and closes at nine."
AFTER = "Boats over ten metres moor outside the wall."


def around(machine: str) -> str:
    return f"# Harbour\n\n{BEFORE}\n\n{machine}\n\n{AFTER}\n"


@pytest.mark.parametrize(
    ("machine", "most"),
    [
        (f"![a map](data:image/png;base64,{IMAGE})", 2),
        (f'<img src="data:image/png;base64,{IMAGE}" alt="a map">', 2),
        ("![a map](data:image/svg+xml," + "%3Cpath%20d=%27M0.5,1.5%27/%3E" * 9000 + ")", 2),
        (IMAGE, 2),
        (IMAGE.replace("+", "-").replace("/", "_"), 2),
        (f"-----BEGIN CERTIFICATE-----\n{WRAPPED}\n-----END CERTIFICATE-----", 2),
        (WRAPPED.replace("\n", "\r\n> "), 2),
        (RANDOM.randbytes(200_000).hex(), 2),
        ("\n".join(RANDOM.randbytes(32).hex() for _ in range(4000)), 2),
        (base64.b64encode(b"\xff\x00\xff\xff" * 50_000).decode(), 2),
        (f"```js\n{PROGRAM}\n```", 7),
        ("\n".join(PROGRAM[start : start + 3300] for start in range(0, len(PROGRAM), 3300)), 7),
    ],
)  # fmt: skip
def test_what_is_written_for_machines_makes_no_passages(machine: str, most: int) -> None:
    content = around(machine)
    assert len(content) > 200_000
    chunks = chunk_text(content)
    texts = [chunk.text for chunk in chunks]
    assert len(texts) <= most
    assert BEFORE in texts[0]
    assert AFTER in texts[-1]
    assert [chunk.section for chunk in chunks[1:]] == ["Harbour"] * (len(chunks) - 1)


def test_a_source_map_is_few_passages() -> None:
    sources = ["\n".join(f"  const {name} = compute({name}, other);" for name in NAMES)] * 20
    written = {"version": 3, "sources": ["a.ts"], "sourcesContent": sources, "mappings": "AAAA;" * 2000}
    for indent in (None, 2):
        content = json.dumps(written, indent=indent)
        assert len(content) > 200_000
        assert len(chunk_text(content)) <= 5


@pytest.mark.parametrize(
    "content",
    [
        "A sentence of a long paragraph that nobody has wrapped. " * 3000,
        "这是一个句子没有空格。" * 8000,
        "นี่คือประโยคที่ไม่มีช่องว่าง" * 4000,
        "\n".join(f"https://example.com/a/long/path/to/page-{number}?and=a&query=too" for number in range(2000)),
        "\n".join(f"2026-11-{number % 30},ACME,Berlin,{number}.50,paid,invoice-{number}" for number in range(3000)),
        f"src/main/java/com/example/{'CustomerKangarooController/' * 20}java",
        "_".join(["word"] * 60),
        "-".join(["MAX", "worker", "ItemCount", "2026"] * 30),
        "/".join(["tenants", "3fa9c1d0-7be2-4c11-9a3e-0d5b6c7f8e21"] * 9),
        "src/main/java/com/example/customer/KangarooController/javaFile/of\n" * 5,
        "| name | value |\n|---|---|\n" + "\n".join(f"|item{number}|{number}|" for number in range(5000)),
    ],
)
def test_what_people_read_is_left_whole(content: str) -> None:
    assert sum(chunk.end - chunk.start for chunk in chunk_text(content)) > 0.97 * len(content)


def test_a_document_of_nothing_else_has_one_passage() -> None:
    assert len(chunk_text(IMAGE)) == 1

"""Reads a test collection in the BEIR format: `corpus.jsonl`, `queries.jsonl`, `qrels.tsv` or `qrels/SPLIT.tsv`."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from partywall.client.errors import ClientError

TEST = "test"


class CollectionError(ClientError):
    """What is wrong with a collection, with the file and line."""


@dataclass(frozen=True, slots=True)
class Query:
    """A judged query; `grades` are by the document's id, 0 for one that does not match."""

    id: str
    text: str
    grades: dict[str, int]


def corpus(folder: Path) -> Path | None:
    """The documents: `corpus.jsonl`, or a folder `corpus` of files; None if there are none."""
    return next((path for name in ("corpus.jsonl", "corpus") if (path := folder / name).exists()), None)


def queries(folder: Path, split: str = TEST) -> list[Query]:
    """The queries with at least one matching document, in the order of the judgements. Raises CollectionError."""
    texts = dict(_texts(_existing(folder, _queries_names(split))))
    path = _existing(folder, _judgement_names(split))
    grades: dict[str, dict[str, int]] = {}
    for number, (query, document, grade) in _judgements(path):
        if query not in texts:
            raise CollectionError(f"{path} line {number}: no query has the id {query!r}")
        if grades.setdefault(query, {}).setdefault(document, grade) != grade:
            raise CollectionError(f"{path} line {number}: query {query!r} and document {document!r} have another grade")
    found = [Query(query, texts[query], judged) for query, judged in grades.items() if any(judged.values())]
    if not found:
        raise CollectionError(f"{path}: no query has a matching document")
    return found


def _queries_names(split: str) -> list[str]:
    return ["queries.jsonl"] if split == TEST else [f"queries_{split}.jsonl", "queries.jsonl"]


def _judgement_names(split: str) -> list[str]:
    return [f"qrels/{split}.tsv", "qrels.tsv" if split == TEST else f"qrels_{split}.tsv"]


def _existing(folder: Path, names: list[str]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise CollectionError(f"{folder} has no {' or '.join(names)}")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise CollectionError(f"{path} line {number}: not UTF-8 text") from error
            if text.strip():
                yield number, text


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in _lines(path):
        try:
            record: object = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise CollectionError(f"{path} line {number}: not JSON") from error
        fields = record if isinstance(record, dict) else {}
        query, text = fields.get("id", fields.get("_id")), fields.get("text")
        if not isinstance(query, str | int) or not isinstance(text, str) or not text.strip():
            raise CollectionError(f"{path} line {number}: id or text is missing")
        yield str(query), text


def _judgements(path: Path) -> Iterator[tuple[int, tuple[str, str, int]]]:
    """Skips a first line of names, without a number. An id may contain blanks if tabs separate the columns."""
    for number, line in _lines(path):
        columns = line.split("\t") if "\t" in line else line.split()
        is_grade = len(columns) == 3 and columns[2].strip().isdecimal() and len(columns[2]) < 10
        if is_grade:
            yield number, (columns[0], unicodedata.normalize("NFC", columns[1]), int(columns[2]))
        elif number > 1 or (len(columns) == 3 and _is_number(columns[2])):
            raise CollectionError(f"{path} line {number}: use query, document and a grade from 0, separated by tabs")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

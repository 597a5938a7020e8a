from __future__ import annotations

import pytest

from partywall.core.schemas import JsonObject
from partywall.features.documents.constants import MAX_BATCH, MAX_METADATA_BYTES, MAX_TITLE
from partywall.features.documents.schemas import (
    DocumentBatch,
    DocumentCreate,
    DocumentPatch,
    DocumentQuery,
    metadata_bytes,
)
from tests.validation_errors import refused

DOCUMENT = {"title": "A title", "content": "Text."}


def test_a_title_is_trimmed_and_content_is_not() -> None:
    wanted = DocumentCreate.model_validate({"title": "  A title ", "content": "  kept \n"})
    assert (wanted.title, wanted.content) == ("A title", "  kept \n")


@pytest.mark.parametrize(
    ("title", "kind"),
    [(" \t\n", "string_too_short"), ("a" * (MAX_TITLE + 1), "string_too_long"), (None, "string_type")],
)
def test_what_is_no_title_is_refused(title: object, kind: str) -> None:
    assert refused(DocumentCreate, {**DOCUMENT, "title": title}) == {"title": kind}


def test_the_longest_title_is_counted_in_characters() -> None:
    assert len(DocumentCreate.model_validate({**DOCUMENT, "title": "ß" * MAX_TITLE}).title) == MAX_TITLE


def test_metadata_is_counted_in_bytes() -> None:
    most: JsonObject = {"a": "ß" * ((MAX_METADATA_BYTES - len('{"a":""}')) // 2)}
    assert metadata_bytes(most) == MAX_METADATA_BYTES
    assert DocumentCreate.model_validate({**DOCUMENT, "metadata": most}).metadata == most
    assert refused(DocumentCreate, {**DOCUMENT, "metadata": {"a": f"{most['a']}x"}}) == {"metadata": "too_large"}


def test_a_number_counts_as_the_database_writes_it() -> None:
    assert metadata_bytes({"a": 1e20}) == len('{"a":100000000000000000000}')


def test_a_batch_names_the_document_that_is_wrong() -> None:
    assert refused(DocumentBatch, {"documents": [DOCUMENT, {"title": "x"}]}) == {"documents/1/content": "missing"}
    assert refused(DocumentBatch, {"documents": []}) == {"documents": "too_short"}
    assert refused(DocumentBatch, {"documents": [DOCUMENT] * (MAX_BATCH + 1)}) == {"documents": "too_long"}


def test_what_a_patch_leaves_out_is_not_what_it_sets_to_null() -> None:
    assert DocumentPatch.model_validate({}).model_fields_set == set()
    assert DocumentPatch.model_validate({"metadata": None}).model_fields_set == {"metadata"}
    assert refused(DocumentPatch, {"title": None, "content": None, "status": None}) == {
        "title": "string_type", "content": "string_type", "status": "literal_error",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["project_id", "created_by", "revision", "index_status"])
def test_what_the_server_decides_is_not_given(name: str) -> None:
    assert refused(DocumentCreate, {**DOCUMENT, name: "x"}) == {name: "extra_forbidden"}


@pytest.mark.parametrize(
    ("given", "where"), [({"limit": "0"}, "limit"), ({"limit": "101"}, "limit"), ({"offset": "-1"}, "offset"),
                         ({"sort": "size"}, "sort"), ({"q_title": "\x00"}, "q_title"), ({"cursor": "\ud800"}, "cursor")]
)  # fmt: skip
def test_a_list_is_asked_for_within_bounds(given: dict[str, str], where: str) -> None:
    assert list(refused(DocumentQuery, given)) == [where]

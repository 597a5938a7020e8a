from __future__ import annotations

import pytest

from partywall.core.outgoing.destinations import LONGEST
from partywall.features.webhooks.constants import MAX_TYPES
from partywall.features.webhooks.schemas import WebhookCreate, WebhookPatch
from tests.validation_errors import refused

URL = "https://example.com/partywall"


@pytest.mark.parametrize(
    "type_", ["*", "document", "document.*,member.*", "Document.*", "document.created ", "document.created\n", ""]
)
def test_each_type_stands_on_its_own(type_: str) -> None:
    assert refused(WebhookCreate, {"url": URL, "types": [type_]}) == {"types/0": "string_pattern_mismatch"}


def test_null_types_differ_from_an_empty_list() -> None:
    assert WebhookCreate(url=URL).types is None
    assert refused(WebhookCreate, {"url": URL, "types": []}) == {"types": "too_short"}
    assert refused(WebhookCreate, {"url": URL, "types": ["a.b"] * (MAX_TYPES + 1)}) == {"types": "too_long"}


@pytest.mark.parametrize(("url", "kind"), [(" ", "string_too_short"), ("a" * (LONGEST + 1), "string_too_long")])
def test_an_address_has_a_length(url: str, kind: str) -> None:
    assert refused(WebhookCreate, {"url": url}) == {"url": kind}


@pytest.mark.parametrize("enabled", ["true", 1, 0, None])
def test_a_webhook_is_enabled_or_not(enabled: object) -> None:
    assert refused(WebhookPatch, {"enabled": enabled}) == {"enabled": "bool_type"}


def test_types_may_be_taken_away_and_the_address_may_not() -> None:
    assert WebhookPatch.model_validate({"types": None}).model_fields_set == {"types"}
    assert refused(WebhookPatch, {"url": None}) == {"url": "string_type"}


@pytest.mark.parametrize("name", ["secret", "disabled_reason", "project_id"])
def test_what_the_server_decides_is_not_given(name: str) -> None:
    assert refused(WebhookCreate, {"url": URL, name: "x"}) == {name: "extra_forbidden"}

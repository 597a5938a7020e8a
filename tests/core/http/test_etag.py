from __future__ import annotations

import pytest

from partywall.core.errors import PreconditionFailedError
from partywall.core.http.responses import entity_tag, unchanged
from partywall.core.preconditions import require_match

# As the API sends them, and as proxies change them.
FORMS = ['"3-7"', 'W/"3-7"', '"3-7-gzip"', '"3-7-br"', 'W/"3-7-zstd"', '"1-1", W/"3-7"', ' W/"9-9" ,"3-7-gzip"', "*"]
OTHERS = ['"4-7"', 'W/"4-7"', '"33-7"', "3-7", 'W/3-7"', "", '"-gzip"', 'W/""', '"4-7", W/"5-7"']


@pytest.mark.parametrize("given", FORMS)
def test_each_form_of_our_own_tag_is_accepted(given: str) -> None:
    assert unchanged(given, entity_tag(3, 7))
    require_match(given, 3)


@pytest.mark.parametrize("given", OTHERS)
def test_no_other_tag_is_accepted(given: str) -> None:
    assert not unchanged(given, entity_tag(3, 7))
    with pytest.raises(PreconditionFailedError):
        require_match(given, 3)


def test_if_match_compares_only_the_revision() -> None:
    assert not unchanged('W/"3-6"', entity_tag(3, 7))
    require_match('W/"3-6"', 3)


def test_a_foreign_tag_is_reported() -> None:
    for given in ("7", "*x", '"abc"'):
        with pytest.raises(PreconditionFailedError, match="contains no ETag of this server"):
            require_match(given, 3)
    with pytest.raises(PreconditionFailedError, match="The resource has changed"):
        require_match('"2-0"', 3)

from __future__ import annotations

import pytest

from partywall.features.accounts.email_address import normalised


@pytest.mark.parametrize(
    "written",
    [
        "ada@bücher.example.com",
        "ADA@BÜCHER.example.com",
        " ada@xn--bcher-kva.example.com ",
        "Ada@bu\u0308cher.Example.COM",
    ],
)
def test_one_address_has_one_form(written: str) -> None:
    assert normalised(written) == "ada@bücher.example.com"


@pytest.mark.parametrize(
    "written",
    ["", "ada", "ada@", "@example.com", "ada@localhost", "a b@example.com", "ada@example.com\0", "ada@exa mple.com",
     "ada@@example.com", "Ada <ada@example.com>", "ada@[127.0.0.1]", "a" * 65 + "@example.com",
     "ada@" + "a." * 200 + "com", "ada@example.com, eve@example.com", "ada@example.com\r\nBcc: eve@example.com"],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_repeating_it(written: str) -> None:
    with pytest.raises(ValueError, match=r"^not a valid e-mail address$"):
        normalised(written)

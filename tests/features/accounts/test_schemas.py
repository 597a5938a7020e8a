from __future__ import annotations

import pytest
from pydantic import ValidationError

from partywall.features.accounts.email_address import normalised
from partywall.features.accounts.schemas import Registration


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
     "ada@" + "a." * 200 + "com", "ada@example.com, eve@example.com", "ada@example.com\r\nBcc: eve@example.com",
     "=?utf-8?q?ada?=@example.com", "=?utf-8?b?YWRh?=@example.com"],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_repeating_it(written: str) -> None:
    with pytest.raises(ValueError, match=r"^not a valid e-mail address$"):
        normalised(written)


def test_a_registration_normalises_all_but_the_password() -> None:
    wanted = Registration.model_validate(
        {"email": " ADA@example.com", "password": "  spaces count  ", "full_name": " Ada "}
    )
    assert (wanted.email, wanted.password, wanted.full_name) == ("ada@example.com", "  spaces count  ", "Ada")


def test_an_error_never_repeats_the_input() -> None:
    with pytest.raises(ValidationError) as refused:
        Registration.model_validate({"email": "secret address", "password": "short"})
    errors = refused.value.errors(include_input=False)
    assert [each["loc"] for each in errors] == [("email",), ("password",)]
    assert not any("secret address" in each["msg"] or each["msg"] == "short" for each in errors)


@pytest.mark.parametrize("address", ["ada@house.local", "ada@example.test", "Ada@Example.com"])
def test_a_private_domain_is_accepted(address: str) -> None:
    assert normalised(address) == address.lower()


@pytest.mark.parametrize(
    "name", ["A\x1b[31mda", "A\nda", "A\x85da", "A\u2028da", "\u202eadA", "A\u2066da", "A\x7fda", "A\tda"]
)
def test_a_name_with_control_characters_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="control characters"):
        Registration.model_validate({"email": "ada@example.com", "password": "correct horse", "full_name": name})


@pytest.mark.parametrize(
    "name", ["Ada Lovelace", "Zo\u00eb", "\u05d0\u05d3\u05d4", "\U0001f469\u200d\U0001f4bb", "a\u0301"]
)
def test_a_name_is_of_any_script(name: str) -> None:
    wanted = Registration.model_validate({"email": "ada@example.com", "password": "correct horse", "full_name": name})
    assert wanted.full_name == name


@pytest.mark.parametrize(
    "password",
    ["Password123", "lovelace-ada@example.com", "LOVELACE-ADA", "lovelace-ada", "\uff4c\uff4fvelace-ada"],
)
def test_a_password_that_is_easily_guessed_is_refused(password: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Registration.model_validate({"email": "lovelace-ada@example.com", "password": password})
    [error] = refused.value.errors()
    assert (error["loc"], error["type"]) == (("password",), "easily_guessed")


@pytest.mark.parametrize("password", ["aaaaaa aaaaaa", "correct horse", "lovelace-ada1", "0" * 9 + " "])
def test_only_length_and_the_list_decide(password: str) -> None:
    wanted = Registration.model_validate({"email": "lovelace-ada@example.com", "password": password})
    assert wanted.password == password

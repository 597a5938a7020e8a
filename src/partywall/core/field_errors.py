"""Errors of single values in a request: pointer, stable code, and a message for people that may change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pydantic import JsonValue
from pydantic_core import ErrorDetails

# How many errors are reported, and how long each text may be.
MOST_ERRORS: Final = 20
_MOST_CHARACTERS: Final = 500


_NO_FILE: Final = "Expected UploadFile"


class FieldCode(StrEnum):
    """Codes for clients, which word the message themselves; docs/reference/http-api.md explains each."""

    ADDRESS_REFUSED = "address_refused"
    BAD_CHARACTER = "bad_character"
    BAD_CURSOR = "bad_cursor"
    BAD_FORMAT = "bad_format"
    BAD_NUMBER = "bad_number"
    BLANK = "blank"
    CONFLICTING = "conflicting"
    EASILY_GUESSED = "easily_guessed"
    EXACTLY_ONE = "exactly_one"
    INVALID = "invalid"
    IN_THE_PAST = "in_the_past"
    MISSING = "missing"
    NOT_FOUND = "not_found"
    NOT_ONE_OF = "not_one_of"
    NOT_UNIQUE = "not_unique"
    OUT_OF_RANGE = "out_of_range"
    REPEATED = "repeated"
    SCHEMA_REFUSED = "schema_refused"
    TOO_DEEP = "too_deep"
    TOO_LARGE = "too_large"
    TOO_LONG = "too_long"
    TOO_SHORT = "too_short"
    TOO_SMALL = "too_small"
    UNKNOWN_FIELD = "unknown_field"
    WRONG_TYPE = "wrong_type"


# Error types of schema validation: Pydantic's, and those of our validators.
_KINDS: Final[Mapping[FieldCode, str]] = {
    FieldCode.BAD_CHARACTER: "nul_byte lone_surrogate control_character string_unicode",
    FieldCode.BAD_FORMAT: "string_pattern_mismatch uuid_parsing uuid_version datetime_parsing datetime_object_invalid "
    "datetime_from_date_parsing timezone_naive timezone_aware date_parsing date_from_datetime_parsing time_parsing "
    "time_delta_parsing url_parsing url_scheme url_syntax_violation decimal_parsing email_address not_rfc3339 "
    "member_id not_an_amount not_json",
    FieldCode.BAD_NUMBER: "finite_number multiple_of int_parsing_size decimal_max_digits decimal_max_places "
    "decimal_whole_digits not_finite long_number",
    FieldCode.BLANK: "blank",
    FieldCode.EASILY_GUESSED: "easily_guessed",
    FieldCode.EXACTLY_ONE: "one_of",
    FieldCode.OUT_OF_RANGE: "instant_out_of_range",
    FieldCode.MISSING: "missing missing_argument",
    FieldCode.NOT_ONE_OF: "literal_error enum union_tag_invalid union_tag_not_found unknown_language",
    FieldCode.NOT_UNIQUE: "not_unique",
    FieldCode.TOO_DEEP: "too_deep recursion_loop",
    FieldCode.TOO_LARGE: "less_than less_than_equal too_large",
    FieldCode.TOO_LONG: "string_too_long too_long bytes_too_long url_too_long",
    FieldCode.TOO_SHORT: "string_too_short too_short bytes_too_short",
    FieldCode.TOO_SMALL: "greater_than greater_than_equal",
    FieldCode.UNKNOWN_FIELD: "extra_forbidden too_many_fields",
    FieldCode.WRONG_TYPE: "string_type int_type int_parsing int_from_float float_type float_parsing "
    "bool_type bool_parsing dict_type mapping_type list_type tuple_type set_type bytes_type uuid_type datetime_type "
    "date_type time_type time_delta_type url_type decimal_type model_type model_attributes_type none_required "
    "is_instance_of",
}
CODES: Final[Mapping[str, FieldCode]] = MappingProxyType(
    {kind: code for code, kinds in _KINDS.items() for kind in kinds.split()}
)


def field_error(pointer: str, code: FieldCode, message: str) -> dict[str, JsonValue]:
    return {"pointer": _shown(pointer), "code": code.value, "message": _shown(message)}


def field_errors(found: Sequence[ErrorDetails], under: str = "") -> dict[str, JsonValue]:
    """`errors` and, if there are more than are reported, `more_errors`; each pointer begins with `under`."""
    told: list[JsonValue] = [
        field_error(
            under + pointer(each["loc"]) + str(each.get("ctx", {}).get("pointer", "")),
            *_said_by(each),
        )
        for each in found[:MOST_ERRORS]
    ]
    return {"errors": told} if len(found) <= MOST_ERRORS else {"errors": told, "more_errors": len(found) - MOST_ERRORS}


def _said_by(error: ErrorDetails) -> tuple[FieldCode, str]:
    """Replaces the framework's message for a missing file, which is worded for programmers."""
    if _NO_FILE in error["msg"]:
        return FieldCode.WRONG_TYPE, "A file belongs here: send the part with a file name"
    return CODES.get(error["type"], FieldCode.INVALID), str(error["msg"])


def pointer(location: Sequence[str | int]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def _shown(text: str) -> str:
    """Makes the text valid UTF-8 and limits its length."""
    if len(text) > _MOST_CHARACTERS:
        text = text[:_MOST_CHARACTERS] + "…"
    return text.encode("utf-8", "replace").decode()

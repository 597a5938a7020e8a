"""Readers of paths, queries, headers, names and addresses, and of what is logged of them."""

from __future__ import annotations

import json
from datetime import datetime
from email.headerregistry import Address
from typing import Final
from urllib.parse import parse_qsl

from pydantic import ValidationError

from partywall.client import sse
from partywall.core.errors import InvalidInputError, PartywallError, PreconditionFailedError
from partywall.core.events.filters import TypeFilter
from partywall.core.http import ranges, responses
from partywall.core.http.body_limits import MEDIUM_BYTES, PUBLIC_BYTES
from partywall.core.http.charsets import escaped, refuse_other_charsets
from partywall.core.http.request_facts import choose_request_id, read_traceparent
from partywall.core.http.request_head import fault_of_query
from partywall.core.http.sockets import may_come_from
from partywall.core.log_masks import mask
from partywall.core.mail.mime import ENCODED_WORD, _ascii_domain, mailbox
from partywall.core.mail.renderer import as_name
from partywall.core.outgoing.destinations import Destinations, RefusedDestinationError
from partywall.core.pagination import Cursors
from partywall.core.preconditions import require_match
from partywall.core.schemas import GivenInstant, Name
from partywall.core.security.api_keys import _FORM
from partywall.core.security.client_address import ClientAddresses
from partywall.core.security.common_passwords import is_common
from partywall.core.security.passwords import _prepared
from partywall.core.security.secrets import Signer
from partywall.features.accounts.constants import MAX_PASSWORD
from partywall.features.accounts.email_address import normalised
from partywall.features.accounts.refresh_tokens import RefreshTokens
from partywall.features.documents.filters.grammar import GivenFilter
from partywall.features.live.schemas import EventNumber, TypePatterns
from partywall.features.mcp.accept import AcceptedTypes
from partywall.features.mcp.messages import MessageError, read_message
from partywall.features.mcp.schemas import IdempotencyKey
from partywall.features.webhooks.schemas import TypePattern
from partywall.formats.waiting_time import seconds_asked, seconds_in
from tests.growth.reader import HEADERS, Reader, validating
from tests.growth.shapes import repeated

_MASKING: Final = "core/log_masks.py:"
_OUT: Final = "core/outgoing/destinations.py:"
_LISTING: Final = ("documents", 1)
_CURSORS: Final = Cursors(Signer(b"a key of these tests"))
_REFRESH_TOKENS: Final = RefreshTokens(Signer(b"a key of these tests"))
_DESTINATIONS: Final = Destinations.of(plain_http=True, networks=(), ports=())
_PROXIES: Final = ClientAddresses(["127.0.0.0/8"])


def _header(text: str) -> str:
    """Decodes it as the server does."""
    return text.encode().decode("latin-1")


def _conditions(text: str) -> None:
    given = _header(text)
    responses.unchanged(given, '"1-0"')
    require_match(given, 1)


def _origins(text: str) -> object:
    given = _header(text)
    return may_come_from(f"https://{given}", given, ()), may_come_from(given, "a:1", ("https://b",))


def _range(text: str) -> object:
    given = _header(text)
    return (
        ranges.requested(given, 100),
        ranges.requested(f"bytes={given}", 100),
        ranges.requested(f"bytes=0-{given}", 100),
    )


def _addresses(text: str) -> object:
    given = _header(text)
    return _PROXIES.of("127.0.0.1", [given]), _PROXIES.of(given, [])


def _query(text: str) -> object:
    return None if fault_of_query(text.encode()) else parse_qsl(text, True)


def _mailbox(text: str) -> Address:
    return mailbox(f"{text} <a@b.example>")


def _mail_domain(text: str) -> str:
    return _ascii_domain(text) if ENCODED_WORD.search(text) is None else ""


def _stream(text: str) -> object:
    return list(sse.parse(sse.lines(text.encode()[at : at + 100] for at in range(0, len(text), 100))))


EDGES: Final = (
    Reader(
        tuple(_MASKING + each for each in ("_FIRST_BLANK", "_WORD", "_ADDRESS", "_USER", "_TOKEN", "_QUOTED")),
        lambda text: mask(f"pw@ {text}"),
        HEADERS,
        {
            "schemes": repeated("://"),
            "users": repeated("://a:", start="a"),
            "users, an end": repeated("://a:", "@b"),
            "tokens": repeated("eyJ-"),
            "tokens, stops": repeated("eyJa."),
            "bearers": repeated("bearer "),
            "a bearer, blanks": repeated(" ", start="bearer"),
            "keys": repeated("pw_"),
            "signs": repeated("@"),
            "addresses, blanks": repeated("a@b "),
            "details": repeated("DETAIL:"),
            "types": repeated("invalid input syntax for type a"),
            "arguments": repeated("invalid input for query argument $1"),
            "percents": repeated("%40"),
        },
        seconds=0.05,
    ),
    Reader(
        ("core/http/idempotency.py:KeyHeader", "features/mcp/schemas.py:IdempotencyKey"),
        validating(IdempotencyKey),
        HEADERS,
        refusing=(ValidationError,),
    ),
    Reader(
        ("features/mcp/messages.py:_parsed",),
        lambda text: read_message(text.encode()),
        MEDIUM_BYTES,
        {"params": repeated('"a":{},', '"b":1}}', '{"jsonrpc":"2.0","id":1,"method":"a","params":{')},
        refusing=(MessageError,),
    ),
    Reader(
        ("features/documents/filters/values.py:_date",),
        validating(GivenFilter),
        HEADERS,
        {
            "nested": repeated('{"not":'),
            "lists": repeated('[{"and":', start='{"and":'),
            "conditions": repeated('{"not":{}},', "{}]}", '{"or":['),
            "values": repeated("1,", "1]}", '{"field":"metadata.a","op":"in","value":['),
            "keys": repeated("a.", '"}', '{"op":"eq","value":1,"field":"metadata.'),
        },
        refusing=(ValidationError,),
    ),
    Reader((), lambda text: AcceptedTypes.of([_header(text)]), HEADERS, {"parameters": repeated(";q=0")}),
    Reader(("core/http/charsets.py:_BEYOND_ASCII",), lambda text: escaped(text.encode()), PUBLIC_BYTES),
    Reader(("core/http/charsets.py:_CHARSET", "core/http/charsets.py:_UTF8"),
           lambda text: refuse_other_charsets(text.encode()), HEADERS,
           {"charsets": repeated(";charset"), "charsets, blanks": repeated(" ", start=";charset")},
           refusing=(PartywallError,)),
    Reader(("core/http/ranges.py:_RANGE",), _range, HEADERS, {"minus": repeated("-"), "tabs": repeated("\t")},
           refusing=(PartywallError,)),
    Reader(("core/http/request_facts.py:_SANE",), lambda text: choose_request_id(text.encode()), HEADERS),
    Reader(("core/http/request_facts.py:_GIVEN",), lambda text: read_traceparent(text.encode()), HEADERS,
           {"later versions": repeated("-", start=f"01-{'1' * 32}-{'1' * 16}-01")}),
    Reader((), _conditions, HEADERS, {"tags": repeated('"1",'), "weak tags": repeated("W/,")},
           refusing=(PreconditionFailedError,)),
    Reader(
        ("core/http/sockets.py:may_come_from", "features/mcp/dependencies.py:_is_address"),
        _origins,
        HEADERS,
        {"ports": repeated(":"), "an address": repeated("]"), "slashes": repeated("/")},
    ),
    Reader(
        ("core/security/client_address.py:_parse",),
        _addresses,
        HEADERS,
        {"proxies": repeated("127.0.0.1,"), "groups": repeated("1:"), "many commas": repeated(",")},
    ),
    Reader(
        (
            "core/http/fast_path/endpoint_plan.py:EndpointPlan._work",
            "core/http/request_head.py:_BEYOND_ASCII",
            "core/http/request_head.py:fault_of_query",
        ),
        _query,
        HEADERS,
        {"names": repeated("a&"), "values": repeated("a=b&"), "percents": repeated("%41"), "a percent": repeated("%")},
    ),
    Reader(("core/security/api_keys.py:_FORM",), _FORM.fullmatch, HEADERS, {"a key": repeated("0", start="pw_")}),
    Reader(
        ("core/pagination.py:Cursors.decode",),
        lambda text: _CURSORS.decode(_LISTING, text, 1),
        6000,
        {"letters": repeated("QUJD"), "signs": repeated("=")},
        refusing=(InvalidInputError,),
    ),
    Reader(("core/db/keyset.py:Keyset.parse",), datetime.fromisoformat, 6000, refusing=(ValueError,)),
    Reader(
        ("core/schemas.py:_RFC3339",),
        lambda text: validating(GivenInstant)(f"2027-01-31T12:00:00.{text}Z"),
        HEADERS,
        refusing=(ValidationError,),
    ),
    Reader(
        ("core/schemas.py:_STEERS",),
        validating(Name),
        HEADERS,
        {"blanks around": repeated(" ", "a"), "separators": repeated("\u2028")},
        refusing=(ValidationError,),
    ),
    Reader(("features/accounts/refresh_tokens.py:RefreshTokens.made",), _REFRESH_TOKENS.made, HEADERS),
    Reader(
        ("features/live/schemas.py:EventNumber", "features/live/schemas.py:Received"),
        validating(EventNumber),
        HEADERS,
        refusing=(ValidationError,),
    ),
    Reader(
        ("features/live/schemas.py:TypePatterns", "features/webhooks/schemas.py:TypePattern"),
        lambda text: (TypeFilter.parse(text), validating(TypePattern)(text), validating(TypePatterns)(text)),
        HEADERS,
        {"types": repeated("a.*,"), "stars": repeated("*")},
        refusing=(ValidationError,),
    ),
    Reader(
        ("core/mail/renderer.py:_LINK", "core/mail/renderer.py:_DOMAIN_DOT"),
        as_name,
        200,
        {"links": repeated("www."), "schemes": repeated("://"), "words": repeated("a ")},
    ),
    Reader(
        ("core/mail/mime.py:mailbox", "core/mail/mime.py:ENCODED_WORD"),
        _mailbox,
        500,
        {"words": repeated("=?utf-8?q?a?= "), "groups": repeated("a:;,"), "a route": repeated("<")},
        refusing=(ValueError,),
    ),
    Reader(
        ("core/mail/mime.py:_ascii_domain",),
        _mail_domain,
        254,
        {"labels": repeated("\u00e4."), "joiners": repeated("\u0628\u200d"), "right to left": repeated("\u05d0")},
        refusing=(ValueError,),
    ),
    Reader(
        ("features/accounts/email_address.py:normalised",),
        lambda text: (normalised(f"a@{text}.example"), normalised(text)),
        254,
        {"labels": repeated("\u00e4."), "quotes": repeated('"')},
        refusing=(ValueError,),
    ),
    Reader(
        tuple(_OUT + each for each in ("_NUMBER", "Destinations.parse", "_refuse_ambiguous", "_stands_for_ascii",
                                       "_refuse_numbers")),
        lambda text: _DESTINATIONS.parse(f"https://{text}"),
        2048,
        {"labels": repeated("\u00e4."), "numbers": repeated("1."), "ports": repeated(":"), "groups": repeated("[:")},
        refusing=(RefusedDestinationError,),
    ),
    Reader((_OUT + "Destinations.admits",), _DESTINATIONS.admits, 64),
    Reader(
        (
            *("formats/waiting_time.py:" + each for each in ("_PLAIN", "_PART", "_ASKED", "_in_body")),
        ),
        lambda text: (
            seconds_in(text, 0.0),
            seconds_asked({}, 0.0, text.encode("utf-8", "replace")),
            seconds_asked({}, 0.0, json.dumps({"retry_after": text, "error": {"message": text}}).encode()),
        ),
        HEADERS,
        {
            "dates": repeated("Mon, 01 Jan 2027 "),
            "colons": repeated("1:"),
            "comments": repeated("("),
            "parts": repeated("1s"),
            "digits": repeated("1", start="retry in "),
            "waits": repeated("wait 1s"),
            "words": repeated("try again in "),
            "errors": repeated('{"error":'),
            "lists": repeated("[],", start="["),
        },
    ),
    Reader(
        ("core/security/passwords.py:_prepared",),
        _prepared,
        MAX_PASSWORD,
        {"marks in the wrong order": repeated("\u0301\u0323"), "what grows": repeated("\ufdfa")},
    ),
    Reader(
        ("core/security/common_passwords.py:folded",),
        is_common,
        MAX_PASSWORD,
        {"marks in the wrong order": repeated("\u0301\u0323"), "what grows": repeated("\ufdfa")},
    ),
    Reader(
        (),
        _stream,
        sse.LONGEST,
        {"data": repeated("data:\n"), "one line": repeated("a", start="data:"), "events": repeated("data:a\n\n")},
        seconds=20,  # in the command line's own process; the test's own slicing takes a tenth
    ),
)  # fmt: skip

"""Which answers are allowed, and which reveal something."""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from pydantic import JsonValue

from partywall.testing.isolation.attack_plan import Attempt, Shape
from partywall.testing.isolation.callers import Standing
from partywall.testing.isolation.client import Answer
from partywall.testing.isolation.surface import Place

_EXCERPT: Final = 400
# A malformed request may be refused before authentication: no route matches the path, the query is not UTF-8, or the
# body is not valid form data.
_MALFORMED: Final = frozenset({400, 404, 405, 413, 414, 415})
_NOT_THERE: Final = frozenset({404, 422})
# What a member may get in HOME: anything but server errors and 401.
_AT_HOME: Final = frozenset({200, 201, 202, 204, 206, 303, 304, 400, 403, 404, 405, 409, 412, 413, 415, 416, 422})
# Validator messages contain characters of the input.
_VARYING: Final = re.compile(r"`[^`]*`|'[^']*'|\d+|[,:].*")


@dataclass(frozen=True, slots=True)
class Leak:
    """`what` describes the leak, `attempt` the cause. `broken`: a server error, which shows nothing of FOREIGN."""

    attempt: Attempt | None
    what: str
    sent: str = ""
    broken: bool = False

    def __str__(self) -> str:
        return f"{self.attempt}\n    sent: {self.sent}\n    {self.what}" if self.attempt else self.what


def excerpt(answer: Answer) -> str:
    return f"{answer.status} {answer.body[:_EXCERPT].decode('utf-8', 'replace')}"


def allowed(attempt: Attempt) -> frozenset[int]:
    """The statuses that this caller may get."""
    operation, position = attempt.operation, attempt.position
    in_path = position.place is Place.PATH
    match attempt.caller.standing:
        case Standing.NOBODY if operation.gated or operation.in_project:
            # An open route of a project checks its credential itself, after its path is validated.
            return frozenset({401}) | _malformed(attempt) | (frozenset() if operation.gated else frozenset({422}))
        case Standing.NOBODY:
            return _AT_HOME | {401}
        case Standing.READER:
            return frozenset({403, 422}) | (frozenset({404}) if in_path else frozenset()) | _malformed(attempt)
        case Standing.OUTSIDER if operation.in_project:
            return _NOT_THERE | _malformed(attempt)
        case Standing.MEMBER if operation.in_project and attempt.shape is Shape.THERE:
            return _NOT_THERE | _malformed(attempt)
        case _ if in_path:
            # The right is checked before the resource, so a member without the right learns about neither.
            return _NOT_THERE | {403, 405} | ({401} if attempt.caller.account is None else set())
        case _:
            # A project's key is not a user, and the account routes are for users only.
            return _AT_HOME | ({401} if attempt.caller.account is None else set())


def _malformed(attempt: Attempt) -> frozenset[int]:
    """Plain values are well-formed; other spellings may match no route or be unreadable."""
    return frozenset() if attempt.spelling == "plain" and attempt.position.place is not Place.PATH else _MALFORMED


def error_fault(attempt: Attempt, answer: Answer) -> str | None:
    if answer.status in allowed(attempt):
        return None
    return f"answered {excerpt(answer)}, which is none of {sorted(allowed(attempt))}"


def content_fault(answer: Answer, forbidden_texts: Iterable[str], sent: str) -> str | None:
    """Describes text of FOREIGN in the answer that the attempt did not send itself. `sent` is in lower case."""
    everything = _everything(answer)
    for forbidden in forbidden_texts:
        if forbidden in everything and forbidden not in sent and _stands_alone(forbidden, everything):
            return f"answered with {forbidden!r}, which is FOREIGN's: {excerpt(answer)}"
    return None


def _stands_alone(forbidden: str, everything: str) -> bool:
    """A number counts only on its own, not where its digits occur in a random id."""
    return not forbidden.isdigit() or re.search(rf"(?<![0-9a-z]){forbidden}(?![0-9a-z])", everything) is not None


def _everything(answer: Answer) -> str:
    headers = "\n".join(value for _, value in answer.headers)
    return f"{headers}\n{unquote(headers)}\n{answer.body.decode('utf-8', 'replace')}".lower()


type Likeness = tuple[object, ...]


def likeness(answer: Answer, sent: Iterable[str], vocabulary: Set[str]) -> Likeness:
    """What an answer reveals, without the values that were sent; equal whether the resource exists or not.

    `vocabulary` are the member names in the API's own schemas; names that callers choose are not compared.
    """
    names = tuple(sorted(name for name, _ in answer.headers))
    body = answer.json()
    if not isinstance(body, dict) or "code" not in body:
        return answer.status, names, _structure(body, vocabulary)
    texts = tuple(_without(str(body.get(name)), sent) for name in ("type", "code", "title", "detail", "status"))
    return answer.status, names, texts, _errors(body.get("errors"), sent), tuple(sorted(body))


def _errors(errors: JsonValue, sent: Iterable[str]) -> tuple[str, ...]:
    if not isinstance(errors, list):
        return ()
    found = [each for each in errors if isinstance(each, dict)]
    return tuple(
        f"{_without(str(each.get('pointer')), sent)} {_VARYING.sub('', str(each.get('message')))}" for each in found
    )


def _without(text: str, sent: Iterable[str]) -> str:
    for each in sorted({each for value in sent for each in (value, quote(value), value.lower()) if each}, key=len)[
        ::-1
    ]:
        text = text.replace(each, "·")
    return text


def _structure(value: JsonValue, vocabulary: Set[str]) -> object:
    """The members' names and the types of their values; for a list, the types of its items."""
    if isinstance(value, dict):
        return tuple((name, _structure(value[name], vocabulary)) for name in sorted(value.keys() & vocabulary))
    if isinstance(value, list):
        return ("list", *sorted({repr(_structure(each, vocabulary)) for each in value}))
    return "text" if isinstance(value, str) else "number" if isinstance(value, int | float) else repr(value)

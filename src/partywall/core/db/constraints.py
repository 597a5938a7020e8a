"""Turns violated constraints into errors of the domain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import IntegrityError

from partywall.core.errors import PartywallError


def violated(error: BaseException) -> str | None:
    """The name of the violated constraint or unique index, or None for other errors."""
    driver = error.orig.__cause__ if isinstance(error, IntegrityError) and error.orig else error
    return driver.constraint_name if isinstance(driver, asyncpg.IntegrityConstraintViolationError) else None


@contextmanager
def violations(named: Mapping[str, Callable[[], PartywallError]]) -> Iterator[None]:
    """Translates constraint violations into domain errors; `named` maps constraint names to error classes."""
    try:
        yield
    except (IntegrityError, asyncpg.IntegrityConstraintViolationError) as error:
        made = named.get(violated(error) or "")
        if made is None:
            raise
        raise made() from error

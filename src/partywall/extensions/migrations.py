"""Migrates the database and the tables of installed features."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from alembic.util import CommandError

from partywall.core.db.feature_migrations import migrate_feature
from partywall.core.db.migrate import migrate
from partywall.core.feature import Feature
from partywall.extensions.histories import histories
from partywall.extensions.importable_migrations import require_importable


async def migrate_all(
    owner_url: str, runtime_url: str, target: str, features: Sequence[Feature], *, keep_data: bool = False
) -> list[str]:
    """Moves the schema, and says what changed, one line for each part.

    `head` includes the features, in their order, and `base` too, backwards. `FEATURE@TARGET` moves one feature only.
    Other targets leave the features as they are.
    """
    known = {history.feature: history for history in histories(features)}
    require_importable(known.values())
    feature, separator, step = target.rpartition("@")
    if separator and feature not in known:
        raise CommandError(f"there are no migrations of a feature {feature}: name one of {', '.join(known) or 'none'}")
    move = partial(migrate_feature, owner_url, runtime_url, keep_data=keep_data)
    if separator:
        return [await move(known[feature], step)]
    before = [await move(each, target) for each in reversed(known.values())] if target == "base" else []
    own = str(await migrate(owner_url, runtime_url, target, keep_data=keep_data))
    return [*before, own, *([await move(each, target) for each in known.values()] if target == "head" else [])]

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from partywall.commands.configuration import settings_problems
from partywall.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine


def require_features(settings: Settings, *, api: bool = False, worker: bool = False) -> None:
    """Checks the features of FEATURES__ENABLED for a process of these kinds. Raises FeatureError and UsageError.

    Tests check the features of this repository.
    """
    if not settings.features.enabled:
        return
    # lint: allow import-in-function - imports all tables, which the supervisor does not need
    from partywall.extensions.checks import checked_features  # noqa: PLC0415 - see above

    # lint: allow import-in-function - as above
    from partywall.extensions.histories import histories  # noqa: PLC0415 - see above

    # lint: allow import-in-function - as above
    from partywall.extensions.sections import feature_settings  # noqa: PLC0415 - see above

    features = checked_features(settings.features.enabled, api=api, worker=worker)
    list(histories(features))
    for feature in features:
        if (model := feature_settings(feature)) is not None:
            with settings_problems(model):
                model()


def feature_migrations(settings: Settings) -> dict[str, Path]:
    """The directories with the migrations of installed features, by their version tables, after importing these.

    Raises FeatureError.
    """
    if not settings.features.enabled:
        return {}
    # lint: allow import-in-function - as above
    from partywall.extensions.enabled import enabled_features  # noqa: PLC0415 - see above

    # lint: allow import-in-function - as above
    from partywall.extensions.histories import histories  # noqa: PLC0415 - see above

    # lint: allow import-in-function - as above
    from partywall.extensions.importable_migrations import require_importable  # noqa: PLC0415 - see above

    found = list(histories(enabled_features(settings.features.enabled)))
    require_importable(found)
    return {history.version_table: history.folder for history in found}


async def require_policies(settings: Settings, engine: AsyncEngine) -> None:
    """Checks in the database that the tables of these features are guarded. Raises FeatureError."""
    if not settings.features.enabled:
        return
    # lint: allow import-in-function - as above
    from partywall.extensions.policies import refuse_open_tables  # noqa: PLC0415 - see above

    async with engine.connect() as connection:
        await refuse_open_tables(connection, settings.features.enabled)

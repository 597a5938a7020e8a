from __future__ import annotations

from partywall.commands.usage_error import UsageError
from partywall.core.feature import FeatureError
from partywall.settings import Settings


def require_features(settings: Settings, *, api: bool = False, worker: bool = False) -> None:
    """Checks the features of FEATURES__ENABLED for a process of these kinds. Raises UsageError.

    Tests check the features of this repository.
    """
    if not settings.features.enabled:
        return
    # lint: allow import-in-function - imports all tables, which the supervisor does not need
    from partywall.extensions.checks import checked_features  # noqa: PLC0415 - see above

    try:
        checked_features(settings.features.enabled, api=api, worker=worker)
    except FeatureError as error:
        raise UsageError(str(error)) from None

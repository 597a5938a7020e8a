"""Checks the features of FEATURES__ENABLED in a process of its own, so that `serve` keeps none of their code in memory.

Run as a module, it writes to its standard output why it refuses them, or the directories of their migrations.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from partywall.commands.configuration import load_settings
from partywall.commands.features import feature_migrations, require_features
from partywall.commands.usage_error import UsageError
from partywall.core.feature import FeatureError
from partywall.settings import Settings

_MODULE: Final = "partywall.commands.feature_process"
_REFUSED: Final = "refused"
_MIGRATIONS: Final = "migrations"


def checked_migrations(settings: Settings) -> dict[str, Path]:
    """Checks the features as the API and the worker do; returns what `feature_migrations` does. Raises UsageError."""
    if not settings.features.enabled:
        return {}
    command = [sys.executable, "-m", _MODULE]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        names = ", ".join(settings.features.enabled)
        raise UsageError(f"FEATURES__ENABLED: importing {names} ended the process with exit code {done.returncode}")
    said = json.loads(done.stdout)
    if _REFUSED in said:
        raise UsageError(said[_REFUSED])
    return {table: Path(folder) for table, folder in said[_MIGRATIONS].items()}


def _said() -> dict[str, str | dict[str, str]]:
    settings = load_settings({"database": {"engine": "embedded"}, "cache": {"engine": "embedded"}})
    try:
        require_features(settings, api=True, worker=True)
        return {_MIGRATIONS: {table: str(folder) for table, folder in feature_migrations(settings).items()}}
    except UsageError as error:
        return {_REFUSED: error.message}
    except FeatureError as error:
        return {_REFUSED: str(error)}


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    answer = os.dup(1)
    os.dup2(2, 1)  # what packages print at their import
    with os.fdopen(answer, "w") as file:
        json.dump(_said(), file)
    os._exit(0)  # threads and exit handlers of packages cannot delay the start


if __name__ == "__main__":
    _main()

"""Uses the application and the workspace of the runs' tests."""

from __future__ import annotations

from tests.features.runs.conftest import app, model, resources, settings, shared_model, short_pauses, workspace

__all__ = ["app", "model", "resources", "settings", "shared_model", "short_pauses", "workspace"]

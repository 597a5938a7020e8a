"""Properties that hold for generated examples: the same ones in each run, without limits of time."""

from __future__ import annotations

from hypothesis import given, settings

settings.load_profile("ci")

__all__ = ["given", "settings"]

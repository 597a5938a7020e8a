from __future__ import annotations

from tests.extensions.packages import install

__all__ = ["install"]

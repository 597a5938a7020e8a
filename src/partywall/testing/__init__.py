"""A pytest plugin for packages with a feature: a deployment on embedded engines, and an attack on the feature's routes.

`-p partywall.testing` loads it; pytest does not load it by itself.
"""

from __future__ import annotations

pytest_plugins = ["partywall.testing.plugin"]

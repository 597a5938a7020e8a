"""The client side of the main job, thin over the HTTP API of any Partywall."""

from __future__ import annotations

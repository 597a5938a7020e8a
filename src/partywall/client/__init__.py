"""The command line's HTTP client for a Partywall server."""

from __future__ import annotations

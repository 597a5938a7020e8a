"""Constants that the benchmark's processes share."""

from __future__ import annotations

from typing import Final

HONEST_EMAIL: Final = "honest@example.com"
HONEST_PASSWORD: Final = "the honest client's password"
# In a prompt, these make the model hang, return an extraction or propose to write.
HANG, MATCH, WRITE = "Hang.", "Match.", "Write."

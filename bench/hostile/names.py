"""What the processes of the benchmark agree on."""

from __future__ import annotations

from typing import Final

HONEST_EMAIL: Final = "honest@example.com"
HONEST_PASSWORD: Final = "the honest client's password"
# In a prompt: the model is silent, gives an extraction, proposes to write.
HANG, MATCH, WRITE = "Hang.", "Match.", "Write."

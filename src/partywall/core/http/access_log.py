"""What is told of each answered request; `partywall.logs` writes it, without a web framework."""

from __future__ import annotations

from collections.abc import Callable

type AccessEntry = dict[str, str | int | float | None]
type AccessLog = Callable[[AccessEntry], None]

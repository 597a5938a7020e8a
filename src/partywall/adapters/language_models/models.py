from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from partywall.adapters.language_models.options import ModelOptions
from partywall.core.language_models import LanguageModel
from partywall.core.outgoing.endpoints import Tls

if TYPE_CHECKING:
    from partywall.adapters.language_models.catalogue import ConfiguredModels


class Models:
    """The configured models. Imports Pydantic AI only when the first model is needed, so the API never does."""

    def __init__(self, options: ModelOptions, tls: Tls) -> None:
        self._options = options
        self._tls = tls
        self._opened: ConfiguredModels | None = None
        self._reading = threading.Lock()

    def has(self, agent: str) -> bool:
        return self._options.model_of(agent) is not None

    def read(self) -> None:
        with self._reading:
            self._open().read()

    def named(self, agent: str) -> LanguageModel:
        return self._open().named(agent)

    def _open(self) -> ConfiguredModels:
        if self._opened is None:
            # lint: allow import-in-function - takes half a second and 40 MB, which processes without runs save
            from partywall.adapters.language_models.catalogue import (  # noqa: PLC0415 - see above
                ConfiguredModels,
                create_model_client,
            )

            self._opened = ConfiguredModels(self._options, create_model_client(self._options, self._tls()))
        return self._opened

    async def aclose(self) -> None:
        if self._opened is not None:
            await self._opened.client.aclose()

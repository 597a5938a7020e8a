from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from partywall.adapters.embeddings.catalogue import open_catalogue
from partywall.adapters.embeddings.openai import OpenAiOptions
from partywall.core.embedders import EmbeddingError

WORDLLAMA = "wordllama-l2-supercat-256@64b47a2dc493"


async def test_the_bundled_model_needs_nothing(tmp_path: Path) -> None:
    async with httpx2.AsyncClient() as client:
        catalogue = await open_catalogue("wordllama", models=tmp_path, client=client)
        assert catalogue.current.name == WORDLLAMA
        assert await catalogue.named("openai:a-model@1536") is None, "the endpoint is unknown"
        assert await catalogue.named(WORDLLAMA) is catalogue.current
        await catalogue.ping()
        await catalogue.close()


async def test_a_local_model_is_found_again_after_a_change(tmp_path: Path) -> None:
    async with httpx2.AsyncClient() as client:
        options = OpenAiOptions("http://127.0.0.1:9/v1", "a-model", 1536)
        catalogue = await open_catalogue(options, models=tmp_path, client=client)
        assert catalogue.current.name == "openai:a-model@1536"
        former = await catalogue.named(WORDLLAMA)
        assert former is not None
        assert (await former.embed_query("words")).shape == (256,)
        assert await catalogue.named(WORDLLAMA) is former
        another = await catalogue.named("openai:an/other@v2@768")
        assert another is not None
        assert (another.name, another.dimension) == ("openai:an/other@v2@768", 768)
        assert await catalogue.named("openai:an/other@v2@768") is another, "the same model at the same endpoint"
        for missing in ("openai:@1", "openai:a@x", "wordllama-l2-supercat-256@other", "all-MiniLM-L6-v2@53aa51172d14"):
            assert await catalogue.named(missing) is None
        await catalogue.close()


async def test_a_model_that_is_not_installed_stops_the_start(tmp_path: Path) -> None:
    async with httpx2.AsyncClient() as client:
        with pytest.raises(EmbeddingError, match="models install minilm"):
            await open_catalogue("minilm", models=tmp_path, client=client)

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from partywall.adapters.embeddings.wordllama import WordLlamaEmbedder, load_wordllama
from partywall.core.embedders import EmbeddingError

TEXTS = [
    "Our refund policy: ten days.\n\nWrite first.",
    "def f(x):\n        return   x  # indented \t code",
    "żółć 漢字 🎉🎉  x",
    "x" * 5000,
    " leading and trailing ",
]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("how do I get my money back", True),
        ("niemand soll an meinen Rechner", True),
        ("как вернуть деньги за билет", True),
        ("E-4021", True),
        ("", True),
        ("屏幕上的东西看起来很模糊", False),
        ("환불을 어떻게 받나요", False),
        ("كيف أسترد أموالي", False),
    ],
)
def test_reads_scripts_that_it_has_words_of(embedder: WordLlamaEmbedder, text: str, *, read: bool) -> None:
    assert embedder.reads(text) is read


@pytest.fixture(scope="module")
def embedder() -> WordLlamaEmbedder:
    return load_wordllama()


def reference(text: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """The published recipe: whole-text tokens, mean, length 1."""
    spec = importlib.util.find_spec("wordllama")
    assert spec is not None
    assert spec.submodule_search_locations
    package = Path(spec.submodule_search_locations[0])
    tokenizer = Tokenizer.from_file(str(package / "tokenizers/l2_supercat_tokenizer_config.json"))
    weights = load_file(package / "weights/l2_supercat_256.safetensors")["embedding.weight"].astype(np.float32)
    mean = weights[tokenizer.encode(text, add_special_tokens=False).ids].mean(axis=0)
    vector: np.ndarray[tuple[int], np.dtype[np.float32]] = mean / np.linalg.norm(mean)
    return vector


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
async def test_vectors_are_the_models_own(embedder: WordLlamaEmbedder, text: str) -> None:
    assert np.allclose(await embedder.embed_query(text), reference(text), atol=1e-5)


async def test_a_batch_gives_what_each_text_gives(embedder: WordLlamaEmbedder) -> None:
    vectors = (await embedder.embed_documents(TEXTS * 30)).vectors
    assert vectors.shape == (150, 256)
    for text, vector in zip(TEXTS, vectors, strict=False):
        assert np.allclose(vector, await embedder.embed_query(text), atol=1e-6)


async def test_no_texts_give_no_vectors(embedder: WordLlamaEmbedder) -> None:
    assert (await embedder.embed_documents([])).vectors.shape == (0, 256)
    assert not (await embedder.embed_documents(["", "a word"])).vectors[0].any()


async def test_the_name_carries_the_weights_version(embedder: WordLlamaEmbedder) -> None:
    assert embedder.name == "wordllama-l2-supercat-256@64b47a2dc493"
    assert embedder.dimension == 256
    await embedder.ping()
    await embedder.close()


def test_a_missing_package_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EmbeddingError, match="not installed"):
        load_wordllama()


def test_a_broken_package_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spec = importlib.util.find_spec("wordllama")
    assert spec is not None
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(EmbeddingError, match="cannot be read"):
        load_wordllama()


async def test_the_weights_stay_in_their_file(embedder: WordLlamaEmbedder) -> None:
    """Mapped or copied, they would be 16 MB in each process."""
    assert await embedder.embed_query("a word") is not None
    assert "weights/l2_supercat_256.safetensors" not in Path("/proc/self/maps").read_text()
    assert not any(isinstance(held, np.ndarray) for held in vars(embedder).values())

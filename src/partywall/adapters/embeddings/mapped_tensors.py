"""Files of tensors in the safetensors format. They are mapped, so that processes share the pages that they use."""

from __future__ import annotations

import json
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

type Tensor = NDArray[np.generic]

_TYPES: Final = {"F32": "<f4", "F16": "<f2", "U32": "<u4", "I32": "<i4", "I64": "<i8", "U8": "u1"}
# A file starts with the length of its JSON header; offsets in it count from the header's end.
_LENGTH_BYTES: Final = 8
_ALIGNMENT: Final = 64


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor is in its file: `start` and `size` in bytes."""

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    start: int
    size: int


def mapped_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors, which cannot be written to. Raises OSError, ValueError and KeyError for a file that is broken."""
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return {name: _tensor(content, place) for name, place in _places(content).items()}


def tensor_place(path: Path, name: str) -> Place:
    """Where the tensor `name` is. Raises OSError, ValueError and KeyError for a file that is broken."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        place = _places(content)[name]
        if place.start + place.size > len(content):
            raise ValueError(f"{name} is cut off")
        return place


def _places(content: mmap.mmap) -> dict[str, Place]:
    start = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    header = json.loads(content[_LENGTH_BYTES:start])
    return {
        name: _place(start, said["dtype"], said["shape"], said["data_offsets"])
        for name, said in header.items()
        if name != "__metadata__"
    }


def _place(start: int, kind: str, shape: list[int], offsets: list[int]) -> Place:
    return Place(np.dtype(_TYPES[kind]), tuple(shape), start + offsets[0], offsets[1] - offsets[0])


def _tensor(content: mmap.mmap, place: Place) -> Tensor:
    count = place.size // place.dtype.itemsize
    return np.frombuffer(content, place.dtype, count, place.start).reshape(place.shape)


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes the tensors with the widest numbers first, so that each is aligned."""
    kinds = {np.dtype(dtype): kind for kind, dtype in _TYPES.items()}
    ordered = dict(sorted(tensors.items(), key=lambda item: -item[1].itemsize))
    header, end = {}, 0
    for name, tensor in ordered.items():
        start, end = end, end + tensor.nbytes
        header[name] = {"dtype": kinds[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-(_LENGTH_BYTES + len(text)) % _ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(_LENGTH_BYTES, "little") + text)
        for tensor in ordered.values():
            file.write(np.ascontiguousarray(tensor).data)

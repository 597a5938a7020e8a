from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from partywall.adapters.embeddings.mapped_tensors import tensor_place

_HALF: Final = np.dtype("<f2")


class TensorRows:
    """The rows of a matrix of 16-bit floats, read from its file when they are needed.

    Mapped, almost all of it would soon count as this process's memory: around each row that is used, the kernel maps
    16 pages.
    """

    def __init__(self, path: Path, name: str) -> None:
        """Raises OSError, ValueError and KeyError for a file that is broken or has another kind of tensor."""
        place = tensor_place(path, name)
        if place.dtype != _HALF or len(place.shape) != 2 or place.size != place.shape[0] * place.shape[1] * 2:
            raise ValueError(f"{name} is {place.dtype} of the shape {place.shape}, not a matrix of float16")
        self.columns = place.shape[1]
        self._start = place.start
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float16]:
        """Shape (rows, columns)."""
        file, start, size = self._file, self._start, _HALF.itemsize * self.columns
        found = b"".join([os.pread(file, size, start + row * size) for row in rows.tolist()])
        return np.frombuffer(found, np.float16).reshape(len(rows), self.columns)

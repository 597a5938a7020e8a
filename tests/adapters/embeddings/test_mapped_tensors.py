from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from partywall.adapters.embeddings.mapped_tensors import Tensor, mapped_tensors, write_tensors
from partywall.adapters.embeddings.tensor_rows import TensorRows

TENSORS: dict[str, Tensor] = {
    "bytes": np.arange(7, dtype=np.uint8),
    "scales": np.arange(6, dtype=np.float16).reshape(2, 3),
    "weights": np.arange(12, dtype=np.float32).reshape(3, 4),
}


def test_written_tensors_are_those_of_the_format(tmp_path: Path) -> None:
    write_tensors(tmp_path / "ours", TENSORS)
    save_file(TENSORS, tmp_path / "theirs")
    for found in (load_file(tmp_path / "ours"), mapped_tensors(tmp_path / "ours"), mapped_tensors(tmp_path / "theirs")):
        assert found.keys() == TENSORS.keys()
        for name, tensor in TENSORS.items():
            assert (found[name] == tensor).all()
            assert found[name].dtype == tensor.dtype


def test_they_are_mapped_aligned_and_read_only(tmp_path: Path) -> None:
    write_tensors(tmp_path / "ours", TENSORS)
    found = mapped_tensors(tmp_path / "ours")
    assert str(tmp_path / "ours") in Path("/proc/self/maps").read_text()
    assert all(tensor.flags.aligned and not tensor.flags.writeable for tensor in found.values())


def test_rows_are_read_without_the_rest(tmp_path: Path) -> None:
    matrix = np.arange(12, dtype=np.float16).reshape(4, 3)
    save_file({"first": TENSORS["weights"], "matrix": matrix}, tmp_path / "rows")
    rows = TensorRows(tmp_path / "rows", "matrix")
    assert rows.columns == 3
    assert (rows.read(np.array([3, 0, 3])) == matrix[[3, 0, 3]]).all()
    assert rows.read(np.array([], dtype=np.int64)).shape == (0, 3)
    with pytest.raises(ValueError, match="not a matrix of float16"):
        TensorRows(tmp_path / "rows", "first")


HEADER = json.dumps({"cut": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 8, b"\x02\0\0\0\0\0\0\0[]", len(HEADER).to_bytes(8, "little") + HEADER + bytes(8)]
)
def test_a_broken_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises((OSError, ValueError, AttributeError)):
        mapped_tensors(tmp_path / "broken")
    with pytest.raises((OSError, ValueError, AttributeError)):
        TensorRows(tmp_path / "broken", "cut")

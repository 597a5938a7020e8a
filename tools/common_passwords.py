"""Writes the list of common passwords from text files with one password per line.

python tools/common_passwords.py LIST...
"""

from __future__ import annotations

import sys
from pathlib import Path

from partywall.core.security.common_passwords import HASHES, folded, hashed
from partywall.features.accounts.constants import MIN_PASSWORD


def main(lists: list[Path]) -> None:
    """Shorter passwords are refused for their length, so the list does not need them."""
    lines = (line for each in lists for line in each.read_text("utf-8", "replace").splitlines())
    hashes = sorted({hashed(line) for line in lines if len(folded(line)) >= MIN_PASSWORD})
    HASHES.write_bytes(b"".join(hashes))
    print(f"{len(hashes)} passwords in {HASHES}")


if __name__ == "__main__":
    main([Path(each) for each in sys.argv[1:]])

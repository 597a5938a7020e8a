"""The lines of a PDF's pages, as they are drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from partywall.features.documents.readers.layout import MAX_HEADING

# A heading's type is larger than that of the text by this factor.
_LARGER: Final = 1.15


@dataclass(frozen=True, slots=True)
class Line:
    """`size` is the size of its type; `top` and `bottom` are its edges, in points from the page's bottom.

    PDFium joins lines with a hyphen between them, so one may be several lines high.
    """

    text: str
    size: float
    top: float
    bottom: float


def usual_size(pages: Sequence[Sequence[Line]]) -> float:
    sizes: Counter[float] = Counter()
    for lines in pages:
        for line in lines:
            sizes[line.size] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def is_heading(line: Line, usual: float) -> bool:
    return line.size > _LARGER * usual > 0 and len(line.text) <= MAX_HEADING and any(map(str.isalpha, line.text))

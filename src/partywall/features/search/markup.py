"""Markup in text that makes no words: HTML and Markdown arrive as what people read, but other texts quote them."""

from __future__ import annotations

import re
from typing import Final

# HTML elements whose names no text uses as words. Others are read as text: `n <p`, `<branch>`, `List<Kiwi>`, XML.
_ELEMENT: Final = (
    "a|abbr|b|blockquote|br|dd|del|div|dl|dt|em|h[1-6]|hr|i|img|ins|kbd|li|ol|p|pre|s|span|strong|su[bp]|tbody|td|tfoot"
    "|th|thead|tr|tt|ul?"
)
# Where such an element ends; where it begins, the name may be text: `<title>`.
_ENDED: Final = (
    "article|aside|body|button|code|details|figure|footer|form|head|header|html|label|main|nav|section|small|summary"
    "|svg|table|title"
)
# No words: the names of HTML elements, character references and the start of a URL.
MARKUP: Final = (
    rf"</(?:{_ENDED})(?=\s*+>)|</?(?:{_ELEMENT})(?:(?=\s*+/?>)|(?=\s++[a-z-]++=[\"']))"
    r"|&(?:\#x?[0-9A-Fa-f]{1,7}|amp|lt|gt|quot|apos|nbsp|shy|[lr][sda]quo|[mn]dash|hellip);"
    r"|\bhttps?://"
)
_NO_WORDS: Final = re.compile(MARKUP)


def without_markup(text: str) -> str:
    """With a space for each piece of markup that makes no token."""
    return _NO_WORDS.sub(" ", text) if "<" in text or "&" in text or "://" in text else text

"""Names of HTML elements."""

from __future__ import annotations

from typing import Final

INLINE_ELEMENTS: Final = frozenset(
    {"a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins", "kbd",
     "label", "mark", "nobr", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u",
     "var", "wbr"}
)  # fmt: skip
"""They do not separate words."""
HTML_ELEMENTS: Final = INLINE_ELEMENTS | {
    "address", "area", "article", "aside", "audio", "blockquote", "body", "br", "button", "canvas", "caption", "center",
    "col", "colgroup", "dd", "details", "dialog", "div", "dl", "dt", "embed", "fieldset", "figcaption", "figure",
    "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hr", "html", "iframe", "img", "input",
    "legend", "li", "link", "main", "map", "meta", "nav", "noscript", "object", "ol", "optgroup", "option", "p",
    "param", "picture", "pre", "progress", "script", "section", "select", "source", "style", "summary", "svg", "table",
    "tbody", "td", "template", "textarea", "tfoot", "th", "thead", "title", "tr", "track", "ul", "video",
}  # fmt: skip

"""What an element's tag, attributes and names say about its text: hidden, around the page's text, or part of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from partywall.features.documents.html.regions import Part

type Attributes = Mapping[str, str | None]

NEVER_READ: Final = frozenset(
    {"head", "script", "style", "noscript", "template", "iframe", "object", "embed", "svg", "canvas", "audio", "video",
     "select", "textarea", "datalist", "annotation", "annotation-xml", "rp", "frameset", "noframes"}
)  # fmt: skip
BLOCKS: Final = frozenset(
    {"address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "dir", "div",
     "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hgroup", "hr", "html", "legend", "li",
     "listing", "main", "menu", "nav", "ol", "p", "pre", "search", "section", "summary", "table", "tbody", "td",
     "tfoot", "th", "thead", "tr", "ul", "xmp", "h1", "h2", "h3", "h4", "h5", "h6"}
)  # fmt: skip
PREFORMATTED: Final = frozenset({"pre", "listing", "xmp"})
_AROUND: Final = frozenset({"nav", "search", "dialog"})
_OF_THE_PAGE: Final = {"header": Part.HEADER, "footer": Part.AROUND, "aside": Part.AROUND}
_ROLES: Final = {
    "main": Part.MAIN, "banner": Part.HEADER, "complementary": Part.NAMED,
    **dict.fromkeys(("navigation", "contentinfo", "search", "dialog", "alertdialog", "menu", "menubar", "toolbar",
                     "tooltip"), Part.AROUND),
}  # fmt: skip
_CONSENT: Final = re.compile(
    r"cookies?[-_]?(?:bar|banner|consent|notice|law|popup|modal|message|info|overlay|alert|dialog|disclaimer|settings)"
    r"|^cookies?$|(?:^|[-_])(?:gdpr|consent)(?:$|[-_])|^(?:onetrust|cookiebot|usercentrics|didomi|cc-window)"
)
# Names of classes and ids, whole, of widely used templates.
_NAMED: Final = frozenset(
    {"ad-container", "addthis_toolbox", "ads", "advert", "advertisement", "bottomlang", "bottomnav", "breadcrumb",
     "breadcrumbs", "catlinks", "colophon", "comments-link", "footer", "footer-wrapper", "header-nav", "jump-to-nav",
     "main-menu", "mainmenu", "menu", "menubar", "modal", "msearchbox", "mw-head", "mw-navigation", "mw-panel", "nav",
     "nav-menu", "nav-path", "navbar", "navbox", "navfooter", "navheader", "navigation", "navpath", "navtab",
     "newsletter-signup", "noprint", "page-footer", "page-header-nav", "pager", "pagination", "pagination-nav",
     "popup", "prev-next", "printfooter", "quickview", "related", "related-posts", "relations", "rst-footer-buttons",
     "rst-versions", "search", "search-form", "searchbox", "searchform", "share", "share-buttons", "sharing",
     "sidebar", "sidebar-wrapper", "sidenav", "sidetoc", "site-footer", "site-nav", "sitesub", "skip-nav",
     "skiptranslate", "social", "social-share", "sphinxsidebar", "subnav", "titlearea", "toplang", "topnav",
     "wy-breadcrumbs", "wy-nav-side"}
)  # fmt: skip
# In the main part of a page, others may be the names of its sections.
_NAMED_INSIDE: Final = frozenset(
    {"ad-container", "addthis_toolbox", "advert", "advertisement", "breadcrumb", "breadcrumbs", "catlinks",
     "jump-to-nav", "mw-portlet", "nav-path", "navbox", "navfooter", "navheader", "navpath", "noprint", "pager",
     "pagination", "pagination-nav", "prev-next", "printfooter", "related-posts", "rst-footer-buttons", "share",
     "share-buttons", "sharing", "sitesub", "social-share", "vector-dropdown", "vector-menu", "vector-page-toolbar",
     "wy-breadcrumbs"}
)  # fmt: skip
_CONTENTS: Final = frozenset({"toc", "table-of-contents", "tableofcontents", "page-toc", "tocwrapper"})
_SECTIONS: Final = frozenset({"section", "dt", "h1", "h2", "h3", "h4", "h5", "h6"})
_LEFT_OUT: Final = frozenset(
    {"boring", "collapse-toggle", "copy-btn", "copy-button", "copybtn", "edit-this-page", "editsection", "hash-link",
     "headerlink", "hideme", "line-numbers-rows", "lineno", "linenos", "linenumber", "linenumbers", "mw-editsection",
     "out-of-band", "screen-reader-text", "screenreader", "skip-link", "skip-to-content", "skiplink", "skipnav",
     "sr-only", "theme-edit-this-page", "viewcode-link", "visually-hidden", "visuallyhidden"}
)  # fmt: skip
_HIDDEN: Final = re.compile(r"(?:^|;)\s*+(?:display\s*+:\s*+none|visibility\s*+:\s*+hidden)", re.IGNORECASE)
# Short texts of links and buttons that serve the page.
SERVICE: Final = frozenset(
    {"[edit]", "[source]", "[src]", "back to top", "copy", "copy code", "copy to clipboard", "edit", "edit on github",
     "edit page", "edit this page", "jump to navigation", "permalink", "print", "print this page", "report abuse",
     "run", "share", "show source", "skip navigation links", "skip to content", "skip to main content", "source",
     "suggest edits", "top", "tweet", "view page source", "view source"}
)  # fmt: skip


def is_hidden(tag: str, attributes: Attributes) -> bool:
    if attributes.get("hidden", "until-found") != "until-found" or (tag == "dialog" and "open" not in attributes):
        return True
    style = attributes.get("style")
    return style is not None and _HIDDEN.search(style) is not None


def is_left_out(attributes: Attributes) -> bool:
    """Whether an element serves the page, as a link to itself does, or is text for screen readers alone."""
    return not _LEFT_OUT.isdisjoint(_split(attributes.get("class")))


def part_of(tag: str, attributes: Attributes, *, is_inside: bool, is_own: bool) -> Part | None:
    """The part of the page that begins with this block.

    `is_inside`: it is within the main part, an article or a section. `is_own`: a header here is of a part of the page.
    """
    role = (attributes.get("role") or "").lower()
    if tag == "main":
        return Part.MAIN
    if tag in _AROUND or role in _ROLES:
        return _ROLES.get(role, Part.AROUND)
    if tag == "article":
        return Part.ARTICLE
    if tag == "aside" and (role.startswith("doc-") or "epub:type" in attributes):  # the notes of a book
        return None
    if tag in _OF_THE_PAGE and not is_own:
        return _OF_THE_PAGE[tag]
    if attributes.get("aria-hidden") == "true":
        return Part.NAMED
    classes = _split(attributes.get("class"))
    names = [*classes, *_split(attributes.get("id"))]
    if not names or tag in _SECTIONS or "section" in classes:
        return None
    if any(map(_CONSENT.search, names)):
        return Part.AROUND
    if not _CONTENTS.isdisjoint(names):
        return Part.CONTENTS
    return None if (_NAMED_INSIDE if is_inside else _NAMED).isdisjoint(names) else Part.NAMED


def _split(names: str | None) -> list[str]:
    return names.lower().split() if names else []

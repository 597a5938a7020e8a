"""Readers of documents, uploads and search queries."""

from __future__ import annotations

import json
import unicodedata
from typing import Final
from uuid import UUID

from partywall.adapters.embeddings.wordllama import load_wordllama
from partywall.client.document_export.names import FileNames
from partywall.client.document_import.scan import _matches
from partywall.core.http.charsets import other_charset
from partywall.features.documents.extraction import plain_name
from partywall.features.documents.file_router import _attachment
from partywall.features.documents.html_text import markdown_of
from partywall.features.search.characters import folded
from partywall.features.search.chunker import MAX_CHARACTERS, chunk_text
from partywall.features.search.compounds import LONGEST, parts
from partywall.features.search.constants import MAX_QUERY_CHARACTERS
from partywall.features.search.languages import detected
from partywall.features.search.machine_text import readable
from partywall.features.search.markup import without_markup
from partywall.features.search.phrases import Phrases
from partywall.features.search.text_hash import text_hash
from partywall.features.search.tokens import forms, no_small_letters, tokens, unspaced_forms
from tests.growth.reader import DOCUMENT, HEADERS, Reader, Subscription
from tests.growth.shapes import HEADINGS, repeated

_CHUNKING: Final = "features/search/chunker.py:"
_MACHINE: Final = "features/search/machine_text.py:"
_TOKENS: Final = "features/search/tokens.py:"
_PAGE: Final = "features/documents/html/"
_INGEST: Final = "features/documents/extraction.py:"
_NAMES: Final = "client/document_export/names.py:"
_LARGEST_INLINE: Final = 32 * 1024


def _tokens() -> Subscription:
    embedder = load_wordllama()
    return lambda text: embedder._embed([text])


DOCUMENTS: Final = (
    Reader(
        tuple(_CHUNKING + each for each in ("_PARAGRAPH", "_SENTENCE", "_SPACE", "_WORD")),
        chunk_text,
        DOCUMENT,
        HEADINGS
        | {
            "paragraphs that do not come": repeated("\n \r"),
            "stops and brackets": repeated(".)"),
            "a stop, brackets, blanks": lambda n: "." + ")" * (n // 2) + " " * (n // 2) + "a",
            "line separators": repeated("\u2028"),
            "short lines": repeated("ab\n"),
        },
        seconds=10,
    ),
    Reader(
        tuple(
            _MACHINE + each
            for each in ("_ENCODED", "_DATA_URI", "_WRAPPED", "_JOINT", "_PIECE", "_SOURCE_MAP", "_dense")
        ),
        readable,
        DOCUMENT,
        {
            "short words": repeated("a" * 255 + ","),
            "parts of a path": repeated("a/"),
            "words of a name": repeated("aB", start="a/"),
            "capitals": repeated("ABCDEFGH/"),
            "addresses that begin": repeated("data:a/"),
            "types that do not end": repeated("a", start="data:"),
            "addresses that are short": repeated("data:a/" + "a" * 200 + " "),
            "three lines": repeated(("a" * 60 + "\n") * 3 + "\n"),
            "lines that begin": repeated(">\n"),
            "quotes": repeated("> "),
            "a map without a version": repeated(" ", start="{"),
            "versions": repeated('"version" ', start="{"),
            "dense and sparse": repeated("a" * 1000 + " " * 1000),
        },
        seconds=10,
    ),
    Reader(
        (
            "features/documents/html/page.py:title_language_and_text",
            *(_PAGE + f"elements.py:{each}" for each in ("_CONSENT", "_HIDDEN")),
            *(_PAGE + f"source.py:{each}" for each in ("_XHTML", "_EMPTY", "_EMPTY_RAW")),
            *(_PAGE + f"text.py:{each}" for each in ("_UNSEEN", "_SPACES", "_MARK", "_TICKS")),
            *(_PAGE + f"titles.py:{each}" for each in ("_SEPARATOR", "_BY_PROGRAM", "_OF_SPHINX")),
            *(_PAGE + f"titles.py:{each}" for each in ("_WORD", "_LANGUAGE")),
            _PAGE + "walk.py:_LANGUAGE",
            _PAGE + "writer.py:_RULE",
        ),
        markdown_of,
        _LARGEST_INLINE,  # a longer one is read in a separate process
        {
            "boxes": repeated("<div>"),
            "lists": repeated("<ul><li>"),
            "formats that cross": repeated("<b><p>"),
            "links": repeated("<a><p>"),
            "tables": repeated("<table><tr><td>"),
            "text in tables": repeated("<table>x"),
            "ends": repeated("</p>"),
            "attributes": repeated(" a=b", start="<p"),
            "one tag": repeated("<"),
            "comments": repeated("<!--"),
            "headings": repeated("<h1>a"),
            "headings in lists": repeated("<ul><li><h1>a"),
            "regions": repeated("<nav>a"),
            "named regions": repeated("<div class=nav>a"),
            "names": repeated("cookie-", start="<p class='"),
            "style": repeated("; ", start="<p style='"),
            "cells that span": repeated("<tr><td rowspan=9999 colspan=9999>a", start="<table>"),
            "rows below cells that span": repeated("<tr><td>a", start="<table><tr>" + "<td rowspan=9999>a" * 99),
            "code": repeated("`", start="<pre>\n#"),
            "a fence": repeated("`", "\n</pre>", "<pre>a\n"),
            "a rule": repeated("- ", "a"),
            "a row": repeated("|-", "a"),
            "a language": repeated("lang-", start="<pre class='"),
            "a title": repeated("a - ", start="<h1>a - b</h1><title>"),
            "empty elements": repeated("<a ", start="<?xml?>"),
            "empty scripts": repeated("<script ", start="<?xml?>"),
            "slashes": repeated("/", start="<script "),
            "character data": repeated("<![CDATA[", start="<?xml?>"),
            "links to themselves": repeated("<a href=#a>#</a>"),
        },
        seconds=1,
    ),
    Reader(
        ("core/http/charsets.py:_CHARSET",),
        lambda text: other_charset(b"text/plain" + text.encode()),
        HEADERS,
        {
            "charsets": repeated(";charset"),
            "charsets, blanks": repeated(";charset "),
            "a charset, blanks": repeated(" ", start=";charset"),
            "a charset, blanks, equals": repeated(" ", start=";charset="),
            "semicolons": repeated("; "),
        },
    ),
    Reader((_INGEST + "plain_name",), plain_name, HEADERS, {"slashes": repeated("/\\")}),
    Reader(
        ("features/documents/file_router.py:_attachment",),
        _attachment,
        255,
        {"quotes": repeated('"\\')},
    ),
    Reader(
        (
            "client/document_import/files.py:name_in",
            "client/document_import/existing.py:known_documents",
            "client/document_import/scan.py:_matches",
        ),
        lambda text: _matches(unicodedata.normalize("NFC", text), "*a*b/*c[de]*"),
        4096,  # the longest path
        {"marks in the wrong order": repeated("\u0301\u0323"), "folders": repeated("a/b")},
    ),
    Reader(
        tuple(f"{_NAMES}{each}" for each in ("_FORBIDDEN", "_SEPARATOR", "FileNames.take", "_safe_part", "_is_hidden")),
        lambda text: FileNames().give(text, "", ""),
        4096,
        {"marks in the wrong order": repeated("\u0301\u0323"), "folders": repeated("a/"), "forbidden": repeated("<")},
    ),
    Reader(
        (
            "features/documents/file_router.py:_fields",
            "client/document_import/files.py:_read_line",
            "adapters/language_models/answers.py:_json",
            "features/search/page_chunks.py:chunks_of",
        ),
        json.loads,
        8 * 1024 * 1024,
        {
            "lists": repeated("[", "1"),
            "objects": repeated('{"a":'),
            "an integer": repeated("1"),
            "a float": repeated("1", start="0."),
            "an exponent": repeated("9", start="1e"),
            "escapes": repeated("\\u0041", '"', '"'),
            "surrogates": repeated("\\ud800", '"', '"'),
            "a list": repeated("1,", "1]", "["),
        },
        seconds=2,
        refusing=(ValueError, RecursionError),
    ),
    Reader(
        tuple(
            _TOKENS + each
            for each in (
                "_ASCII_TOKENS",
                "_TOKENS",
                "_PART",
                "_UNSPACED_START",
                "_NO_SMALL_LETTER",
                "_CLUSTER",
                "_CLUSTERED",
                "_HUMP",
                "_RUN",
            )
        )
        + tuple(_TOKENS + each for each in ("_GROUPED", "_VERSION", "_DIGITS", "_SEGMENT"))
        + tuple(
            f"features/search/{each}"
            for each in (
                "characters.py:plain",
                "characters.py:folded",
                "characters.py:_HAS_TRANSLATED",
                "characters.py:INVISIBLE",
                "markup.py:_NO_WORDS",
            )
        ),
        lambda text: (
            folded(text),
            no_small_letters(text),
            without_markup(text),
            text_hash(text, UUID(int=1)),
            [(forms(token), unspaced_forms(token, {"\u0e40"})) for token in tokens(text)],
        ),
        MAX_CHARACTERS + 1000,  # a chunk with its title and its heading
        {
            "hyphens": repeated("a-"),
            "numbers": repeated("1."),
            "thousands": repeated(",000", start="1"),
            "thousands with apostrophes": repeated("'000", start="1"),
            "thousands with spaces": repeated("\u00a0000", start="1"),
            "fractions": repeated("1.5,"),
            "a path": repeated("a/"),
            "colons": repeated("a::"),
            "underscores": repeated("_"),
            "humps": repeated("aA"),
            "letters and digits": repeated("a1"),
            "plus signs": repeated("a++"),
            "sections": repeated("\u00a7 "),
            "tags": repeated("<a "),
            "attributes": repeated("<a b"),
            "a tag that does not end": repeated(" ", start="<a"),
            "Thai vowels": repeated("\u0e40"),
            "breaks": repeated("a\u200b"),
            "stacked consonants": repeated("\u1780\u17d2"),
            "symbols": repeated("\u00bd"),
        },
    ),
    Reader(
        tuple(f"features/search/compounds.py:{each}" for each in ("_LINK", "_PARTICLE")),
        lambda text: list(parts(text)),
        LONGEST,
        {"links": repeated("ungs"), "nouns": repeated("werk"), "particles": repeated("auf", "werk")},
    ),
    Reader(("features/search/languages.py:_WORD",), detected, DOCUMENT),
    Reader(
        ("features/search/phrases.py:_WORD",),
        lambda text: Phrases.of(text[:MAX_QUERY_CHARACTERS], dict.fromkeys(tokens(text), 1.0)).share(text),
        MAX_CHARACTERS + 1000,
        {"words of a letter": repeated("a "), "accents": repeated("\u00e9 "), "marks": repeated("a\u0301")},
    ),
    Reader(
        ("adapters/embeddings/wordllama.py:WordLlamaEmbedder._embed_batch",),
        _tokens(),
        MAX_CHARACTERS + 1000,  # a chunk with its title and its heading
        {"starts of words": repeated("\u2581"), "hyphens": repeated("-"), "a long word": repeated("abcdefghijk")},
        seconds=0.5,
    ),
)

from __future__ import annotations

import pytest

from partywall.client.sse import ServerEvent, lines, parse


def events(text: str) -> list[ServerEvent]:
    return list(parse(lines([text.encode()])))


def test_fields_are_gathered_until_an_empty_line() -> None:
    text = "id: 7\nevent: document.created\ndata: {\ndata:  1}\n\nid: 8\ndata: x\n\n"
    assert events(text) == [ServerEvent("7", "document.created", "{\n 1}"), ServerEvent("8", "message", "x")]


def test_an_unfinished_event_is_not_an_event() -> None:
    assert events("id: 7\ndata: half\n") == []


def test_comments_and_pings_are_ignored() -> None:
    assert events(": keep-alive\n\n: again\n\nretry: 3\n\n") == []


def test_an_id_alone_marks_a_position() -> None:
    assert events("id: 9\n\n") == [ServerEvent("9", "message", "")]


def test_an_id_stays_until_another_comes() -> None:
    assert [event.id for event in events("id: 1\ndata: a\n\ndata: b\n\n")] == ["1", "1"]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_chunks_may_end_anywhere(size: int) -> None:
    text = "id: 1\r\ndata: gr\u00fc\u00dfe\r\n\r\n".encode()
    chunks = [text[start : start + size] for start in range(0, len(text), size)]
    assert list(parse(lines(chunks))) == [ServerEvent("1", "message", "grüße")]


def test_only_line_feeds_end_a_line() -> None:
    assert events("data: a\u2028b\x0bc\n\n") == [ServerEvent("", "message", "a\u2028b\x0bc")]

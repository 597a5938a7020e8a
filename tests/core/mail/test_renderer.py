from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from partywall.core.mail.renderer import MailTemplate, as_name

VALUES = {"service": None, "name": "<b>Ada</b> & co"}


@pytest.fixture
def template(tmp_path: Path) -> MailTemplate:
    for part, text in {
        "subject.txt": "{{ name }}\n greets\n",
        "txt": '{% extends "layout.txt" %}{% block body %}Dear {{ name | one_line }}{% endblock %}',
        "html": '{% extends "layout.html" %}{% block body %}<p>Dear {{ name | one_line }}</p>{% endblock %}',
    }.items():
        (tmp_path / f"greeting.{part}").write_text(text)
    return MailTemplate(tmp_path, "greeting")


def test_html_is_escaped_and_text_is_not(template: MailTemplate) -> None:
    content = template.render(VALUES)
    assert content.subject == "<b>Ada</b> & co greets"
    assert content.text.startswith("Dear <b>Ada</b> & co\n")
    assert "<p>Dear &lt;b&gt;Ada&lt;/b&gt; &amp; co</p>" in content.html


def test_the_layout_names_the_service_where_it_is_known(template: MailTemplate) -> None:
    named = template.render({**VALUES, "service": "https://partywall.example.com"})
    unnamed = template.render(VALUES)
    for with_service, without in ((named.text, unnamed.text), (named.html, unnamed.html)):
        assert "Partywall at https://partywall.example.com." in with_service
        assert "Sent by Partywall." in without


def test_a_name_cannot_carry_a_message(template: MailTemplate) -> None:
    content = template.render({**VALUES, "name": "Ada\r\nBcc: eve\u2028\n\nDear\x07 \u202ereader"})
    assert content.subject == "Ada Bcc: eve Dear reader greets"
    assert content.text.startswith("Dear Ada Bcc: eve Dear reader\n")


@pytest.mark.parametrize(
    ("chosen", "shown"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("Contracts 2.0, A.B. & Dr. No", "Contracts 2.0, A.B. & Dr. No"),
        ("see https://evil.example/x?y=1, now", "see … now"),
        ("(http://evil.example)", "…"),
        ("www.evil.example", "…"),
        ("evil.example/x", "evil. example/x"),
        ("sub.évil.example", "sub. évil. example"),
        ("evil\uff0ecom evil\u3002com", "evil. com evil. com"),
        ("x" * 60, "x" * 60),
        ("x" * 61, "x" * 59 + "…"),
        ("a\nb", "a b"),
    ],
)
def test_a_name_is_shortened_and_never_a_link(chosen: str, shown: str) -> None:
    assert as_name(chosen) == shown


def test_a_value_that_is_missing_is_an_error(template: MailTemplate) -> None:
    with pytest.raises(UndefinedError):
        template.render({"service": None})

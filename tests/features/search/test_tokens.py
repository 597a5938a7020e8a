from __future__ import annotations

import pytest

from partywall.features.search.tokens import asked, forms, tokens


@pytest.mark.parametrize(
    ("token", "found"),
    [
        ("E-4021", "e 4021 e4021"),
        ("E4021", "e4021 4021"),
        ("CVE-2026-2332", "cve 2026 2332 cve2026.2332"),
        ("ISO-9001", "iso 9001 iso9001"),
        ("3.12.4", "3.12.4 3.12 3 12 4"),
        ("192.168.17.4", "192.168.17.4 192.168.17 192.168 192 168 17 4"),
        ("1,250,000", "1250000 1 250 000 1250 250000"),
        ("1'250'000", "1250000 1 250 000 1250 250000"),
        ("1\u202f250\u00a0000", "1250000 1 250 000 1250 250000"),
        ("1.250.000,50", "1250000.50 1250000 1 250 000 50 1250 250000"),
        ("101,202,303,404", "101202303404 101 202 303 404 101202 202303 303404"),
        ("101.5,202.7", "101 5 202 7 101.5 202.7"),
        ("1.250", "1.250 1250"),
        ("2,5", "2.5 2 5"),
        ("v2.1.0-rc1", "v2 1 0 rc1 rc 2.1 2.1.0 v2.1.0rc1"),
        ("C++", "c++ c"),
        ("C++17", "c++ c 17 c++17"),
        ("C#", "c# c"),
        (".NET", ".net net"),
        ("AT&T", "at t att"),
        ("§ 5", "§5 5"),
        ("foo.bar", "foo bar foobar"),
        ("well-known", "well known wellknown"),
        ("snake_case", "snake case snakecase"),
        ("getUserName", "getusername get user name"),
        ("PDFs", "pdfs"),
        ("IT", "it IT"),
        ("docs/report-7.pdf", "docs report 7 pdf docsreport7pdf report7pdf"),
        ("ann@example.com", "ann example com annexamplecom examplecom"),
        ("退款", "退款 退 款"),
        ("ﾃﾞｰﾀ", "デー ータ デ ー タ"),
        ("เงิน", "เงิน เงิ น"),
        ("٤٠٢١", "4021"),
        ("con\ufb01rms", "confirms"),
        ("in\u00advoice", "invoice"),
        ("zero\u200bwidth", "zerowidth zero width"),
        ("שָׁלוֹם", "שלום"),
        ("مُحَمَّد", "محمد"),
        ("ΟΔΟΣ", "οδος"),
        ("x" * 300, "x" * 300),
        ("3fa9c1d07be2", "3fa9c1d07be2"),
    ],
)
def test_a_token_is_found_by_its_forms(token: str, found: str) -> None:
    assert tokens(f"({token}).") == [token]
    assert {form.text for form in forms(token)} == set(found.split())


def test_a_form_has_its_place() -> None:
    token = "docs/report-7.pdf"
    assert {token[form.start : form.end] for form in forms(token)} == {
        "docs", "report", "7", "pdf", "report-7.pdf", token,
    }  # fmt: skip
    assert {(form.start, form.end) for form in forms("con\ufb01rms")} == {(0, 7)}


def test_single_characters_are_asked_for_alone() -> None:
    assert [form.text for form in asked("退款单")] == ["退款", "款单"]
    assert [form.text for form in asked("款")] == ["款"]


def test_a_break_separates_words_of_scripts_without_spaces() -> None:
    assert tokens("\u1781\u17d2\u1789\u17bb\u17c6\u200b\u1785\u1784\u17cb") == [
        "\u1781\u17d2\u1789\u17bb\u17c6", "\u1785\u1784\u17cb",
    ]  # fmt: skip


def test_parts_of_a_grouped_number_are_not_asked_for() -> None:
    assert [form.text for form in asked("1,250,000")] == ["1250000"]
    assert len(forms(",".join(["101"] * 500))) <= 1 + 2 * 500


def test_long_tokens_are_found_by_their_parts_only() -> None:
    assert {form.text for form in forms("/".join(["part"] * 50))} == {"part"}
    assert len(forms(".".join(["1"] * 1_000))) < 2_000


def test_punctuation_markup_and_protocols_are_no_tokens() -> None:
    text = 'One<br/>two <img alt="fig" />, a -- b… &amp; https://c.example/d?e=f “g” — h'
    assert tokens(text) == ["One", "two", "alt", "fig", "a", "b", "c.example/d", "e", "f", "g", "h"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("n <p we have the zebra. For q> 3", "n p we have the zebra For q 3"),
        ("git checkout <branch> in List<Kiwi>", "git checkout branch in List Kiwi"),
        ("if (count <limit && total >0) p = &data;", "if count limit total 0 p data"),
        ("ERROR <auth module> login", "ERROR auth module login"),
        ('<order id="E-7788" supplier="Okapi Ltd"/>', "order id E-7788 supplier Okapi Ltd"),
        ("<?pi okapi?><![CDATA[zebra]]><!-- note -->", "pi okapi CDATA zebra note"),
        ("<b>New</b>-<i>York</i>&nbsp;&#8217;<p class='x'>end</p >", "New York class x end"),
    ],
)
def test_what_is_between_angle_brackets_is_text_except_names_of_elements(text: str, found: str) -> None:
    assert tokens(text) == tokens(f"{text}\u2026") == found.split()

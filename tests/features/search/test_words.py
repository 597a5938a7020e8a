"""Words are found as people write them and ask for them."""

from __future__ import annotations

import pytest

from tests.features.search.search_workspace import SearchWorkspace

PAGES = 100


async def test_the_page_of_a_code_comes_first(workspace: SearchWorkspace) -> None:
    for number in range(4000, 4000 + PAGES):
        await workspace.put(f"Error E-{number}", f"What the error code E-{number} means, and what to do about it.")
    await workspace.work()
    for query in ("E-4021", "e4021", "4021", "error 4021", "what does error code 4021 mean"):
        assert (await workspace.titles(query))[0] == "Error E-4021", query


@pytest.mark.parametrize(
    ("text", "queries"),
    [
        ("See CVE-2026-2332 and ISO-9001.", ["cve-2026-2332", "2332", "ISO 9001", "iso9001"]),
        ("Python 3.12.4 on 192.168.17.4", ["3.12.4", "3.12", "192.168.17.4"]),
        ("Fixed in v2.10.3-rc1", ["2.10", "2.10.3", "v2.10.3-rc1"]),
        ("It cost 1,250,000 EUR.", ["1250000", "1,250,000", "250", "1,250", "250,000"]),
        ("sum 1\u202f250\u202f000 and 2'300'400.", ["1250000", "2300400", "300"]),
        ("101,202,303", ["202", "202,303"]),
        ("Es kostet 1.250.000,50 EUR.", ["1250000.50", "1250000"]),
        ("C++ and C# on .NET for AT&T", ["C++", "c#", ".net", "AT&T"]),
        ("nach § 5 Abs. 2", ["§5", "§ 5"]),
        ("The file docs/report_2025.final.pdf", ["report_2025.final.pdf", "report", "2025", "pdf"]),
        ("Write to ann.lee@mail.example.com", ["ann.lee@mail.example.com", "ann", "lee", "mail.example.com"]),
        ("Call foo.bar() or getUserName", ["foo.bar", "bar", "user name", "getusername"]),
        ("A well-known e-mail", ["well-known", "wellknown", "known", "email", "e-mails"]),
        ("For n <p it holds.\n\nThe zebra. For q> 3: List<Kiwi>, <ox id='E-7'/>", ["zebra", "kiwi", "E-7", "ox"]),
        (f"Moved src/main/java/{'CustomerKangaroo/' * 20}java", ["kangaroo", "CustomerKangaroo"]),
        ("A zero\u200bwidth\u200bword here", ["zerowidthword", "zero\u2060width\u00adword", "width"]),
        ("您可以在三十天内申请退款。", ["退款", "申请退款", "款"]),
        ("クレジットカードで支払います", ["カード", "支払", "ｶｰﾄﾞ"]),
        ("환불을 신청하세요", ["환불", "신청"]),
        ("คุณสามารถขอคืนเงินได้ภายในสามสิบวัน", ["คืนเงิน", "สามสิบวัน"]),
        ("អ្នកអាចស្នើសុំសំណងបាន", ["សំណង"]),
        ("هٰذَا كِتَابٌ مُفِيدٌ", ["كتاب", "مفيد"]),
        ("הַסֵּפֶר הַטּוֹב", ["הספר", "הטוב"]),
        ("Zażółć gęślą jaźń", ["zazolc", "GĘŚLĄ", "jazn"]),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
async def test_words_are_found_as_people_ask_for_them(
    workspace: SearchWorkspace, text: str, queries: list[str]
) -> None:
    await workspace.index(await workspace.put("Found", text), await workspace.put("Other", "Nothing of that kind."))
    assert [query for query in queries if await workspace.titles(query, mode="text") != ["Found"]] == []


async def test_stop_words_in_capitals_are_words(workspace: SearchWorkspace) -> None:
    await workspace.index(
        await workspace.put("Found", "Ask the IT department or the WHO."),
        await workspace.put("Other", "This is it: who is there? The door, and the department."),
    )
    for query in ("IT", "WHO", "the WHO"):
        assert await workspace.titles(query, mode="text") == ["Found"], query
    for query in ("it", "The Who", "to be or not to be"):
        assert await workspace.titles(query, mode="text") == [], query
    [hit] = (await workspace.search("IT", mode="text")).json()["items"]
    assert [hit["text"][span["start"] : span["end"]] for span in hit["highlights"]] == ["IT"]


async def test_german_compounds_are_found_by_their_nouns(workspace: SearchWorkspace) -> None:
    text = "Die Kündigungsfristen stehen im Mietvertrag, und die Gerechtigkeit siegt."
    await workspace.index(await workspace.put("Found", text, metadata={"language": "de"}))
    for query in ("Frist", "Kündigung", "Vertrag", "Miete", "Kündigungsfrist"):
        assert await workspace.titles(query, mode="text") == ["Found"], query
    assert await workspace.titles("recht", mode="text") == []
    [hit] = (await workspace.search("Frist", mode="text")).json()["items"]
    assert [hit["text"][span["start"] : span["end"]] for span in hit["highlights"]] == ["fristen"]


async def test_neighbours_in_a_compound_of_three_nouns_are_found_together(workspace: SearchWorkspace) -> None:
    text = "Die Datenschutzbeauftragte prüft das Arbeitszeitkonto."
    await workspace.index(await workspace.put("Found", text, metadata={"language": "de"}))
    for query in ("Datenschutz", "Schutzbeauftragte", "Arbeitszeit", "Zeitkonto", "Zeit"):
        assert await workspace.titles(query, mode="text") == ["Found"], query
    [hit] = (await workspace.search("Datenschutz", mode="text")).json()["items"]
    assert [hit["text"][span["start"] : span["end"]] for span in hit["highlights"]] == ["Datenschutz"]


async def test_a_word_counts_more_than_a_part_of_compounds(workspace: SearchWorkspace) -> None:
    de = {"language": "de"}
    for number in range(5):
        text = f"Druckerliste, Druckernamen und Druckerpapier: {number}."
        await workspace.put(f"Liste {number}", text, metadata=de)
    await workspace.put("Papierstau", "Im Drucker steckt Papier fest, wenn die Walze es nicht greift.", metadata=de)
    await workspace.work()
    assert (await workspace.titles("Drucker", mode="text"))[0] == "Papierstau"
    assert len(await workspace.titles("Drucker", mode="text")) == 6


@pytest.mark.parametrize("mode", ["text", "hybrid"])
async def test_a_heading_of_many_pages_weighs_little(workspace: SearchWorkspace, mode: str) -> None:
    sections = "## Synopsis\n\ntool [FILE]\n\n## Description\n\nCopies files.\n\n## See also\n\nmove"
    for number in range(60):
        await workspace.put(f"tool-{number}", f"# tool-{number}\n\n{sections}", media_type="text/markdown")
    about = "The first lines of a page name the options of its command: this synopsis is short, and brackets mean that"
    await workspace.put("How pages are written", f"{about} a part may be left out.")
    await workspace.work()
    assert (await workspace.titles("synopsis", mode=mode))[0] == "How pages are written"
    assert (await workspace.titles("what does the synopsis mean", mode=mode))[0] == "How pages are written"


async def test_a_query_in_a_script_that_the_model_does_not_know_is_by_word(workspace: SearchWorkspace) -> None:
    await workspace.index(
        await workspace.put("退款", "您可以在三十天内申请退款。"), await workspace.put("Refund", "Ten days.")
    )
    for query, mode in (("申请退款", "text"), ("refund", "hybrid")):
        answer = await workspace.search(query)
        assert answer.headers["X-Search-Mode"] == mode
        assert len(answer.json()["items"]) >= 1


async def test_accents_change_no_stem(workspace: SearchWorkspace) -> None:
    await workspace.index(await workspace.put("Found", "La facturación del año", metadata={"language": "es"}))
    for query in ("facturación", "facturacion", "facturaciones", "ano"):
        assert await workspace.titles(query, mode="text") == ["Found"], query


async def test_latin_words_in_another_script_are_found_without_accents(workspace: SearchWorkspace) -> None:
    text = "Магазин находится на улице Hauptstraße, и это naïve решение."
    await workspace.index(await workspace.put("Found", text, metadata={"language": "ru"}))
    for query in ("naive", "naïve", "hauptstrasse", "Hauptstraße", "решения"):
        assert await workspace.titles(query, mode="text") == ["Found"], query
    [hit] = (await workspace.search("naive", mode="text")).json()["items"]
    assert [hit["text"][span["start"] : span["end"]] for span in hit["highlights"]] == ["naïve"]


async def test_extra_forms_do_not_make_a_passage_longer(workspace: SearchWorkspace) -> None:
    await workspace.index(await workspace.put("", "The well-known Kraków E4021"))
    assert await workspace.value("SELECT length FROM chunk WHERE project_id = $1", workspace.project) == 4
    terms = "SELECT array_agg(term ORDER BY term) FROM posting WHERE project_id = $1"
    found = ["4021", "e4021", "known", "krakow", "well", "well-known".replace("-", "")]
    assert await workspace.value(terms, workspace.project) == found

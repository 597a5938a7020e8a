# ruff: noqa: RUF001 - the texts here test typographic characters
from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest
from pydantic import JsonValue

from partywall.features.search import document_indexer
from partywall.features.search.chunk_repository import NewChunk
from partywall.features.search.constants import CONFIGURATIONS, PLAIN_CONFIGURATION
from partywall.features.search.index_repository import KnownIndex
from partywall.features.search.languages import configuration_of, detected, language_of
from partywall.features.search.passage_vectors import EmbeddedPassages, PassageVectors
from tests.features.search.search_workspace import SearchWorkspace


@pytest.mark.parametrize(
    ("metadata", "configuration"),
    [
        ({}, "french"),
        ({"language": "en-GB"}, "english"),
        ({"language": "DE"}, "german"),
        ({"language": "pt_BR"}, "portuguese"),
        ({"language": "pl"}, PLAIN_CONFIGURATION),
        ({"language": "tlh"}, PLAIN_CONFIGURATION),
        ({"language": "DEU-AT"}, "german"),
        ({"language": "gre"}, "greek"),
        ({"language": "arb"}, "arabic"),
        ({"language": "xx"}, "french"),
        ({"language": "zz-ZZ-zz"}, "french"),
        ({"language": "und"}, "french"),
        ({"language": "qaa"}, "french"),
        ({"language": "german"}, "french"),
        ({"language": ""}, "french"),
        ({"language": 7}, "french"),
    ],
)
def test_the_tag_names_the_configuration(metadata: dict[str, JsonValue], configuration: str) -> None:
    language = language_of(metadata, "La facture est arrivée et le paiement est en retard.")
    assert configuration_of(language) == configuration


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The invoice is late, and it has to be paid by the end of the month.", "en"),
        ("Die Rechnung ist überfällig und muss bis zum Ende des Monats bezahlt werden.", "de"),
        ("La factura está vencida y se debe pagar antes de que termine el mes.", "es"),
        ("Fakturaen er forfalden, og den skal betales af kunden inden månedens udgang.", "da"),
        ("Faktura jest przeterminowana i należy ją zapłacić do końca miesiąca, bo inaczej to się nie uda.", "pl"),
        ("Счёт просрочен, и его нужно оплатить до конца месяца, как это было указано в договоре.", "ru"),
        ("Το τιμολόγιο έχει λήξει", "el"),
        ("您可以在三十天内申请退款。", None),
        ("Invoice", None),
        ("", None),
    ],
)
def test_the_language_of_a_text_is_recognised(text: str, language: str | None) -> None:
    assert detected(text) == language


async def test_a_document_without_a_language_is_found_in_that_of_its_text(workspace: SearchWorkspace) -> None:
    text = "Die Häuser stehen am Fluss, und das ist nicht von der Stadt zu sehen."
    await workspace.index(await workspace.put("Häuser", text), await workspace.put("Bäume"))
    assert await workspace.titles("Haus", mode="text") == ["Häuser"]
    assert await workspace.titles("Baum", mode="text") == ["Bäume"]


async def test_stop_words_of_one_language_are_not_asked_for_in_another(workspace: SearchWorkspace) -> None:
    await workspace.put("Fluss", "Die Häuser stehen am Fluss.", metadata={"language": "de"})
    await workspace.put("Die", "They die in the war.", metadata={"language": "en"})
    await workspace.work()
    assert await workspace.titles("wie steht es um die Häuser, und was ist", mode="text") == ["Fluss"]
    assert await workspace.titles("die", mode="text") == ["Die"]


async def test_the_database_has_every_stemmer(workspace: SearchWorkspace) -> None:
    names = [f"{name}_stem" for name in CONFIGURATIONS.values()]
    missing = "SELECT count(*) FROM unnest($1::text[]) AS name WHERE name::regdictionary IS NULL"
    assert await workspace.value(missing, names) == 0


async def test_a_document_is_found_in_its_own_language(workspace: SearchWorkspace) -> None:
    await workspace.index(
        await workspace.put("Häuser", "Die Häuser stehen am Fluss.", metadata={"language": "de"}),
        await workspace.put("Paczki", "Zwrot pieniędzy za paczkę.", metadata={"language": "pl"}),
        await workspace.put("Houses", "The houses stand by the river."),
    )
    assert await workspace.titles("Haus", mode="text") == ["Häuser"]
    assert await workspace.titles("PIENIEDZY paczke", mode="text") == ["Paczki"]
    assert await workspace.titles("house", mode="text") == ["Houses"]
    [hit] = (await workspace.search("pieniedzy", mode="text")).json()["items"]
    assert [hit["text"][span["start"] : span["end"]] for span in hit["highlights"]] == ["pieniędzy"]


@pytest.mark.parametrize(
    ("language", "text", "word"),
    [
        ("en", "The supplier’s invoice—“overdue”—is late…", "overdue"),
        ("en", "The supplier’s invoice is late.", "supplier"),
        ("fr", "« Facture »\u00a0: l’échéance est passée", "facture"),
        ("fr", "« Facture »\u00a0: l’échéance est passée", "échéance"),
        ("de", "„Rechnung“ – §\u202f5", "Rechnung"),
        ("es", "¿Factura? ¡Vencida!", "vencida"),
        ("ru", "«Счёт» — просрочен…", "счёт"),
        ("uk", "„Рахунок“—прострочено", "прострочено"),
        ("el", "«Τιμολόγιο»·εκπρόθεσμο", "τιμολόγιο"),
        ("hy", "«Հաշիվ»—ուշացած։", "ուշացած"),
        ("ka", "„ანგარიში“—დაგვიანებული", "ანგარიში"),
        ("he", "”חשבונית“—באיחור", "חשבונית"),
        ("ar", "«فاتورة»—متأخرة؟", "متأخرة"),
        ("zh", "「发票」—《合同》", "发票"),
        ("ja", "「請求書」…『契約』", "請求書"),
        ("en", "a\ufeffsupplier\u200bowes\u2060 an in\u00advoice\u200e", "invoice"),
        ("en", "a\ufeffsupplier\u200bowes\u2060 an in\u00advoice\u200e", "owes"),
        ("de", "Die U\u0308berpru\u0308fung", "Überprüfung"),
        ("de", "Die Überprüfung", "U\u0308berpru\u0308fung"),
        ("en", "The o\ufb03ce con\ufb01rms the \ufb02ow.", "confirms"),
        ("en", "The o\ufb03ce con\ufb01rms the \ufb02ow.", "office"),
        ("en", "The confirmed flow.", "con\ufb01rmed \ufb02ow"),
        ("en", "Ｉｎｖｏｉｃｅ　１２３", "invoice"),
        ("en", "Ｉｎｖｏｉｃｅ　１２３", "123"),
        ("en", "Invoice 123", "ｉｎｖｏｉｃｅ"),
        ("ja", "ﾃﾞｰﾀ", "データ"),
        ("en", "The liability¹ is limited. Windows™ runs.", "liability"),
        ("en", "The liability¹ is limited. Windows™ runs.", "windows"),
        ("en", "a dozen½, clause⁴², №docket, chapterⅣ, step①", "dozen clause docket chapter step"),
        ("es", "el artículoº", "artículo"),
        ("zh", "使用Python开发的程序。", "python"),
        ("zh", "使用Python开发的程序。", "使用"),
        ("zh", "請款invoice單", "invoice"),
        ("ja", "PDFで送る", "pdf"),
        ("ko", "Python을 쓴다", "python"),
        ("el", "ΣΊΣΥΦΟΣ ΟΔΟΣ", "οδος"),
        ("en", "ΣΊΣΥΦΟΣ ΟΔΟΣ", "σίσυφος"),
        ("en", "Η οδός", "ΟΔΌΣ"),
    ],
)
async def test_words_beside_typographic_characters_are_found(
    workspace: SearchWorkspace, language: str, text: str, word: str
) -> None:
    await workspace.index(await workspace.put("Found", text, metadata={"language": language}))
    assert await workspace.titles(word, mode="text") == ["Found"]


@pytest.mark.parametrize(
    ("language", "text", "queries"),
    [
        ("en", "The client/server model and/or trees", "client server client/server and/or server/tree trees/none"),
        ("en", r"supplier/customer’s, x//output, a\b/backed, me@host.example/mailed", "customer output backed mailed"),
        ("en", "Due 12/31/2026 at 90 km/h, see a.b/column", "31 2026 12/31/2026 km km/h column a.b/column"),
        ("en", "<b>See</b> /etc/passwd on <https://www.example.com/pricing>", "passwd /etc/passwd www.example.com"),
        ("en", "Read https://www.example.com/pricing", "pricing https://www.example.com/pricing"),
        ("de", "100 €/Stück, Farbe/Größe, http://exämple.de/pfad/seite", "Stück Farbe Größe pfad seite Größe/Farbe"),
    ],
)
async def test_words_joined_by_slashes_are_found(
    workspace: SearchWorkspace, language: str, text: str, queries: str
) -> None:
    await workspace.index(await workspace.put("Found", text, metadata={"language": language}))
    missed = [query for query in queries.split() if await workspace.titles(query, mode="text") != ["Found"]]
    assert missed == []


async def test_names_of_elements_are_not_words(workspace: SearchWorkspace) -> None:
    await workspace.index(await workspace.put("Found", 'One<br/>two <img src="/pictures/harbour" /></section>'))
    assert await workspace.titles("br img section", mode="text") == []
    assert await workspace.titles("pictures", mode="text") == ["Found"]


async def tag(workspace: SearchWorkspace, document: UUID, **metadata: JsonValue) -> str:
    """Sets the language as a client does; returns the index status right after."""
    path = f"/api/v1/projects/{workspace.project}/documents/{document}"
    answer = await workspace.person.client.patch(path, json={"metadata": {**metadata}})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["index_status"])


async def test_another_language_is_another_index(workspace: SearchWorkspace) -> None:
    document = await workspace.put("Häuser", "Die Häuser stehen am Fluss.")
    await workspace.index(document)
    assert await tag(workspace, document, language="de") == "pending"
    await workspace.work()
    assert await workspace.titles("Haus", mode="text") == ["Häuser"]
    assert await tag(workspace, document, author="Ann", language="de") == "indexed"
    assert await tag(workspace, document, author=None) == "indexed"
    assert await tag(workspace, document, language=None) == "pending"
    await workspace.work()
    assert await workspace.titles("Haus", mode="text") == []


@pytest.mark.parametrize("large", [False, True])
async def test_a_language_that_changes_while_a_job_is_at_work_counts(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    document = await workspace.put("Häuser", "Die Häuser stehen am Fluss.")
    if large:
        monkeypatch.setattr(document_indexer, "CHUNKS_AT_ONCE", 0)
    calls, original = list[str](), PassageVectors.embed

    async def embed(
        embedding: PassageVectors, indexes: Sequence[KnownIndex], chunks: Sequence[NewChunk]
    ) -> EmbeddedPassages:
        if not calls:
            assert await tag(workspace, document, language="de") == "pending"
        calls.append(chunks[0].configuration)
        return await original(embedding, indexes, chunks)

    monkeypatch.setattr(PassageVectors, "embed", embed)
    await workspace.index(document)
    assert calls == ["english", "german"]
    assert await workspace.titles("Haus", mode="text") == ["Häuser"]

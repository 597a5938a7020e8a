from __future__ import annotations

from pathlib import Path

import pytest

from partywall.client.evaluation.collection import CollectionError, Query, queries
from partywall.client.evaluation.measures import hit, ndcg, recall, reciprocal_rank
from partywall.client.evaluation.report import compare, page
from partywall.client.evaluation.run import Run, document_of, ranking
from partywall.client.evaluation.significance import p_value
from partywall.client.search import Hit

GRADES = {"a": 2, "b": 1, "c": 0}
QUERIES = [Query(str(number), f"question {number}", {"right": 1}) for number in range(10)]


def collection(folder: Path, judgements: str, texts: str = '{"id": 1, "text": "where do bees live"}\n') -> Path:
    (folder / "queries.jsonl").write_text(texts)
    (folder / "qrels.tsv").write_text(judgements)
    return folder


def run(name: str, *found: str, queries: list[Query] = QUERIES) -> Run:
    return Run(name=name, found={query.id: list(found) for query in queries})


def test_measures_of_a_ranking() -> None:
    assert ndcg(["a", "b"], GRADES) == 1
    assert ndcg(["x", "a", "b"], GRADES) == pytest.approx((2 / 1.58496 + 1 / 2) / (2 + 1 / 1.58496), abs=1e-4)
    assert ndcg(["c"] * 10 + ["a"], GRADES) == 0
    assert recall(["x", "b"], GRADES) == 0.5
    assert reciprocal_rank(["c", "x", "b"], GRADES) == pytest.approx(1 / 3)
    assert reciprocal_rank([], GRADES) == 0
    assert (hit(["x", "y", "a"], GRADES), hit(["x", "y", "z", "a"], GRADES)) == (1, 0)


def test_chance_explains_no_difference_and_few_queries() -> None:
    assert p_value([0.0] * 20) == 1
    assert p_value([0.2, 0.2]) == pytest.approx(0.5, abs=0.02)
    assert p_value([0.1] * 10) == pytest.approx(2 / 2**10, abs=0.002)
    assert p_value([0.5, -0.5] * 10) == 1


def test_a_collection_is_read(tmp_path: Path) -> None:
    folder = collection(tmp_path, "query-id\tcorpus-id\tscore\n1\tbee hives.md\t2\n1\tcars.md\t0\n")
    assert queries(folder) == [Query("1", "where do bees live", {"bee hives.md": 2, "cars.md": 0})]
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "train.tsv").write_text("1 bees.md 1\n")
    assert queries(folder, "train")[0].grades == {"bees.md": 1}


@pytest.mark.parametrize(
    ("judgements", "texts", "part"),
    [
        ("1\ta\n1\ta\tgood\n", '{"id": 1, "text": "x"}', "line 2"),
        ("1\ta\t-1\n1\tb\t1\n", '{"id": 1, "text": "x"}', "line 1: use"),
        ("1\ta\t1\n1\ta\t0\n", '{"id": 1, "text": "x"}', "line 2: query '1' and document 'a'"),
        ("2\ta\t1\n", '{"id": 1, "text": "x"}', "'2'"),
        ("1\ta\t0\n", '{"id": 1, "text": "x"}', "no query"),
        ("1\ta\t1\n", "[" * 5000, "not JSON"),
        ("1\ta\t1\n", '{"id": 1}', "text is missing"),
    ],
)
def test_a_mistake_in_a_collection_names_its_place(tmp_path: Path, judgements: str, texts: str, part: str) -> None:
    with pytest.raises(CollectionError, match=part):
        queries(collection(tmp_path, judgements, texts))


def test_lines_of_a_file_are_known_by_their_ids() -> None:
    assert [document_of(name) for name in ("corpus.jsonl#31", "a/b.md", "c#.html")] == ["31", "a/b.md", "c#.html"]


def test_right_documents_with_the_text_of_a_hit_have_its_rank() -> None:
    def hit(document: str, *same: str) -> Hit:
        return Hit(
            document_id=document, duplicate_ids=list(same), title="", text="", start=0, end=0, score=1, highlights=[]
        )

    hits = [hit("1"), hit("2", "3", "4", "9"), hit("4", "5"), hit("6", "1")]
    names = {"1": "a", "2": "b", "3": "c", "4": "d", "5": "e", "6": "f"}
    assert ranking(hits, names, {"c": 1, "d": 2, "9": 0}) == ["a", "d", "c", "f"]
    assert ranking(hits, names, {"9": 1}) == ["a", "9", "d", "f"]


def test_two_runs_are_compared_query_by_query() -> None:
    worse, better = run("text", "x", "right"), run("hybrid", "right")
    compared = {each.measure: each for each in compare(QUERIES, worse, better)}
    assert compared["MRR"].difference == 0.5
    assert compared["MRR"].p < 0.01
    assert compared["hit@3"].p == 1


def test_the_report_is_a_page_of_its_own() -> None:
    hostile = [Query("1", "<script>alert(1)</script>", {'"><img src=x>': 1}), Query("2", "found nowhere", {"b": 1})]
    runs = [run("a<b", '"><img src=x>', queries=hostile), run("hybrid", "b", queries=hostile)]
    for text in (page("<i>", hostile, runs), page("<i>", hostile, runs[:1])):
        assert "&lt;script&gt;" in text
        assert text.count("<svg") == len(text.split("<h2>")) - 2
        for each in ("<script", "<img", "<i>", "a<b", "http", "src="):
            assert each not in text.replace("&quot;&gt;&lt;img src=x&gt;", "")

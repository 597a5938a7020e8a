"""Files whose text the server reads, and the documents that it makes of them."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from partywall.client.document_import import (
    IndexProgress,
    by_hash,
    known_documents,
)
from partywall.client.document_import.index_progress import POLL_SECONDS
from partywall.testing.engines import Superuser
from tests.client.target import Target, page, text, uploaded

pytestmark = pytest.mark.usefixtures("working_directory")


def test_a_page_is_known_by_the_hash_of_its_file(target: Target) -> None:
    assert target.run(page("p.html", "one")) == (1, 0, 0, 0)
    assert target.document("p.html")["media_type"] == "text/html"
    assert target.run(page("p.html", "one")) == (0, 0, 1, 0)


@pytest.mark.parametrize("name", ["a/e\x1b[31m\x7f.html", "\u202etxt.html", "t\tn\n.html"])
def test_any_file_name_that_the_system_allows_works(target: Target, name: str) -> None:
    assert target.run(page(name, "one")) == (1, 0, 0, 0)
    assert set(known_documents(target.api, target.id)) == {name}


def test_a_changed_page_keeps_its_document(target: Target) -> None:
    target.run(page("p.html", "one"))
    before = target.document("p.html")
    target.api.patch(f"/projects/{target.id}/documents/{before['id']}", {"metadata": {"tag": "kept"}})
    assert target.run(page("p.html", "two")) == (0, 1, 0, 0)
    after = target.document("p.html")
    assert (after["id"], after["version"]) == (before["id"], 2)
    assert "two" in str(after["content"])
    assert isinstance(after["metadata"], dict)
    assert after["metadata"]["tag"] == "kept"
    assert target.run(page("p.html", "two")) == (0, 0, 1, 0)


def test_a_file_does_not_replace_a_document_that_was_made_meanwhile(target: Target) -> None:
    target.run(text("p.html", "written by a program"))
    assert target.run(page("p.html", "one"), root="a#1", known={}) == (0, 0, 0, 1)
    assert target.document("p.html")["content"] == "written by a program"


def test_a_file_that_changes_while_it_is_sent_is_sent_again(target: Target) -> None:
    document = page("p.html", "one")
    assert document.upload is not None
    document.upload.path.write_text("<p>longer than before, and not what was hashed")
    assert target.run(document) == (0, 0, 0, 1)
    assert target.failures == ["p.html: it changed while it was being sent: repeat the command"]
    assert known_documents(target.api, target.id) == {}


def test_a_renamed_file_keeps_its_document(target: Target) -> None:
    target.run(page("old.html", "one"), text("old.txt", "two"))
    before = known_documents(target.api, target.id)
    assert target.run(page("old.html", "one"), renamable={}) == (0, 0, 1, 0)
    moved = [replace(page("old.html", "one"), external_id="new.html"), text("new.txt", "two")]
    assert target.run(*moved, renamable=by_hash(before.values())) == (0, 0, 0, 0)
    after = known_documents(target.api, target.id)
    assert {name: each.id for name, each in after.items()} == {
        "new.html": before["old.html"].id,
        "new.txt": before["old.txt"].id,
    }
    assert after["new.txt"].title == "new.txt"


def test_a_refused_page_leaves_the_old_one_alone(target: Target) -> None:
    target.run(page("p.html", "one"))
    assert target.run(uploaded("p.html", b"a\x00")) == (0, 0, 0, 1)
    assert "one" in str(target.document("p.html")["content"])


async def test_documents_that_could_not_be_read_are_named(target: Target, kept: Superuser) -> None:
    target.run(*(text(f"{name}.txt", name) for name in "abcd"))
    await kept.execute("UPDATE document SET index_status = 'indexed' WHERE project_id = $1", UUID(target.id))
    await kept.execute(
        "UPDATE document SET index_status = 'failed', index_error = CASE external_id WHEN 'a.txt' THEN 'too long'"
        " ELSE 'damaged: It is cut off.' END WHERE project_id = $1 AND external_id IN ('a.txt', 'b.txt', 'd.txt')",
        UUID(target.id),
    )
    ids = {str(target.document(f"{name}.txt")["id"]): f"{name}.txt" for name in "abc"}
    progress = IndexProgress(target.api, target.id, ids)
    assert list(progress.wait(lambda _seconds: pytest.fail("it waits"))) == [3]
    assert [(each.place, each.code, each.reason) for each in progress.unread()] == [
        ("a.txt", "", "too long"),
        ("b.txt", "damaged", "It is cut off."),
    ]


def test_waiting_ends_if_nothing_is_read(target: Target) -> None:
    """The deployment of these tests has no worker."""
    target.run(text("a.txt", "one"))
    pauses: list[float] = []
    progress = IndexProgress(target.api, target.id, {str(target.document("a.txt")["id"]): "a.txt"}, 4 * POLL_SECONDS)
    assert set(progress.wait(pauses.append)) == {0}
    assert pauses == [POLL_SECONDS] * 5
    assert len(progress.pending) == 1


def test_documents_without_text_are_reported(target: Target) -> None:
    scripts = b"<title>App</title><body><noscript>Enable scripts</noscript><div id=root></div><script>start()</script>"
    documents = [text("a.txt", "fine"), text("b.txt", " \n"), page("p.html", "fine"), uploaded("app.html", scripts)]
    assert target.run(*documents) == (4, 0, 0, 0)
    assert sorted(target.warnings) == ["app.html", "b.txt"]
    assert target.run(*documents) == (0, 0, 4, 0)
    assert len(target.warnings) == 2
    assert [target.document(name)["warnings"] for name in ("app.html", "b.txt", "p.html")] == [
        ["no_text"],
        ["no_text"],
        [],
    ]

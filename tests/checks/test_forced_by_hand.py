from __future__ import annotations

import pytest

from partywall.checks.package_tables import _forced_by_hand


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("ALTER TABLE orders_item FORCE ROW LEVEL SECURITY", ["orders_item"]),
        ('alter table "orders_item"\n enable row level security, force  row level security;', ["orders_item"]),
        ("ALTER TABLE orders_item NO FORCE ROW LEVEL SECURITY", []),
        ("ALTER TABLE a ENABLE ROW LEVEL SECURITY; ALTER TABLE b FORCE ROW LEVEL SECURITY", ["b"]),
        ("FORCE ROW LEVEL SECURITY", []),
    ],
)  # fmt: skip
def test_the_tables_that_a_text_of_sql_forces(text: str, tables: list[str]) -> None:
    assert list(_forced_by_hand(text)) == tables

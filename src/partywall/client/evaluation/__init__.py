"""Measures search on a collection with judged queries: see docs/how-to/eval.md."""

"""Filters on documents: `grammar` reads one, `conditions` and `value_ranges` make SQL of it."""

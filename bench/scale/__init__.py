"""Search, lists and creation at 1,000,000 passages in 200 projects. `make bench-scale`."""

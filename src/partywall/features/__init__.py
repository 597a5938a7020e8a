"""One package for each slice; `registry.py` lists them in order. Importing a slice imports no other."""

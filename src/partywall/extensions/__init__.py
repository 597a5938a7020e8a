"""Which features a deployment has: those of this repository, and those that installed packages offer."""

"""Serves ordinary requests to the most frequent routes before FastAPI's general handling."""

"""Readers of files of many kinds. Only text processes import them; `process` is the entry.

A reader takes the bytes of a file and returns its text, or raises UnreadableFileError.
"""

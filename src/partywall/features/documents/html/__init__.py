"""How HTML becomes Markdown: which parts of a page are its text, and how they are written."""

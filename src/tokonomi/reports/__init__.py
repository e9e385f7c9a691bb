"""One Statement, many forms."""

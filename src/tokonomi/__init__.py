"""Tokonomi: the economics of LLM use in one system."""

__version__ = "0.1.0"

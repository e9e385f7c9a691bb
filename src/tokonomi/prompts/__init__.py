"""Prompts read as costs: their parts, what could go, what breaks a cache, and what that saves."""

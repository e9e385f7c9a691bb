"""Ports: what the core asks of the world, as protocols."""

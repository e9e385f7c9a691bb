"""Dated data with its sources: prices that lie over the bundled catalogue."""

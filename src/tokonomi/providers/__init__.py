"""Providers: one file per wire dialect, each turning a reply into canonical usage."""

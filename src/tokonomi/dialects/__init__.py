"""Requests and answers carried from one wire dialect into another, or refused by name."""

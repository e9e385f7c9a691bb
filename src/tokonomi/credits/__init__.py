"""Prepaid credits: packages, grants, the order in which they burn, refunds and statements."""

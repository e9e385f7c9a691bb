"""Batches of requests in files: their lines, their states, and which answer belongs to which line.

Values in, values out: what is stored, sent and metered is the business of the rooms above.
"""

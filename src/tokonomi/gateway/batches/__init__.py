"""Files and batches: what clients see of them, and the work on them beside requests."""

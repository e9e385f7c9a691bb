"""Past traffic, read from files into the same store as live calls."""

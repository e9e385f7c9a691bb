"""The pricing kernel: price rows, the price book, and the one law that makes every cost."""

"""Plans: what a feature will cost before it is built, what margin is left, when it breaks even."""

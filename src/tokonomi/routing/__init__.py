"""Where a call goes: providers, chains of targets, what a failure leads to, circuit breakers."""

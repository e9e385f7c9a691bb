"""What a gateway does, as data: one document, its checks, its changes, its form in TOML."""

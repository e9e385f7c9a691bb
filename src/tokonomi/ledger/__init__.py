"""The ledger's rules: accounts, holds and the decision whether a request may spend."""

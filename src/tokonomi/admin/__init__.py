"""The admin API: what the commands on budgets, credits and the ledger do, over HTTP."""

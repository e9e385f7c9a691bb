"""The budgets, wallets and rates in force, in memory, and their refresh when they change."""

from tokonomi.gateway.claims import Rules
from tokonomi.storage.database import Database


class RulesInForce:
    """What every request must pass. It is replaced, never changed, so any thread may read it."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.now = rules or Rules()

    def refresh(self, database: Database) -> None:
        """Reads the rules again when they have changed."""

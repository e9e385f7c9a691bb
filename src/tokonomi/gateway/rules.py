"""The budgets, wallets and rates in force, in memory, and their refresh when they change."""

from zoneinfo import ZoneInfo

from tokonomi.gateway.claims import BudgetInForce, Rules, WalletInForce
from tokonomi.storage.database import Database
from tokonomi.storage.rules_in_force import StoredRules, load_rules, rules_version


class RulesInForce:
    """What every request must pass. `now` is replaced, never changed, so any thread may read it."""

    def __init__(self, *, output_cap: int | None = None) -> None:
        self.now = Rules(output_cap=output_cap)
        self._output_cap = output_cap
        self._version = 0
        self._refused: set[str] = set()

    def refused(self, wallet: str) -> None:
        """Takes note of a wallet that could not pay for a request."""
        self._refused.add(wallet)

    def wallets_refused(self) -> frozenset[str]:
        """The wallets that could not pay since the last time that this was asked."""
        refused, self._refused = self._refused, set()
        return frozenset(refused)

    def refresh(self, database: Database) -> bool:
        """Whether the rules had changed in the store; if so, they are in force now."""
        if rules_version(database) == self._version:
            return False
        stored = load_rules(database)
        self.now = rules_of(stored, output_cap=self._output_cap)
        self._version = stored.version
        return True


def rules_of(stored: StoredRules, *, output_cap: int | None) -> Rules:
    """The rules of the store, with the clocks of their time zones."""
    return Rules(
        budgets=tuple(
            BudgetInForce(budget, ZoneInfo(budget.zone), stored.version)
            for budget in stored.budgets
        ),
        wallets=tuple(WalletInForce(each.rule, each.weights) for each in stored.wallets),
        rates=stored.rates,
        output_cap=output_cap,
    )

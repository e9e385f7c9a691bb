"""All that a request must pass, read at once, and whether there is news of it."""

from dataclasses import dataclass

from tokonomi.budgets.limit import Budget
from tokonomi.credits.rule_table import StoredRule
from tokonomi.money import ExchangeRate
from tokonomi.storage.budget_store import every_budget
from tokonomi.storage.database import Database
from tokonomi.storage.rate_store import every_rate
from tokonomi.storage.wallet_rules import every_rule


@dataclass(frozen=True, slots=True)
class StoredRules:
    """The rules of one instant.

    Attributes:
        version: what `rules_version` said then.
        budgets: those in force, in the order of their ids.
        wallets: in the order of their dimensions.
        rates: the newest first.
    """

    version: int
    budgets: tuple[Budget, ...]
    wallets: tuple[StoredRule, ...]
    rates: tuple[ExchangeRate, ...]


def rules_version(database: Database) -> int:
    """A number that has risen when a budget, a wallet rule or a rate was changed."""
    row = database.execute("SELECT version FROM rules_version").fetchone()
    assert row is not None, "the schema made the row"
    return int(row[0])


def load_rules(database: Database) -> StoredRules:
    """The rules in force, all of one instant."""
    with database.snapshot():
        return StoredRules(
            version=rules_version(database),
            budgets=tuple(each.budget for each in every_budget(database)),
            wallets=every_rule(database),
            rates=every_rate(database),
        )

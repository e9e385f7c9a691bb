"""The JSON Schema of the document, for editors that complete and check TOML."""

import msgspec

from tokonomi.budgets.table import BudgetForm
from tokonomi.configuration.alerts import Alerts
from tokonomi.configuration.canonical import RateForm
from tokonomi.configuration.fallback_watch import FallbackWatch
from tokonomi.credits.package import CreditTable, PackageTable
from tokonomi.credits.rule_table import RuleForm
from tokonomi.routing.alias import Choose, Target
from tokonomi.routing.breaker import BreakerRules
from tokonomi.routing.provider import Provider, Section


class ModelForm(Section, frozen=True):
    """A model name of clients: a list of targets, or in the short form one provider and model."""

    provider: str = ""
    model: str = ""
    targets: tuple[Target, ...] = ()
    choose: Choose = "ordered"
    attempts: int = 4
    deadline_seconds: float = 900.0
    resume: bool = False


class DocumentForm(Section, frozen=True):
    """The configuration of Tokonomi's gateways, as `tokonomi apply` reads it."""

    alerts: Alerts = Alerts()
    breaker: BreakerRules = BreakerRules()
    fallback_watch: FallbackWatch | None = None
    providers: dict[str, Provider] = msgspec.field(default_factory=dict[str, Provider])
    models: dict[str, ModelForm] = msgspec.field(default_factory=dict[str, ModelForm])
    prices: dict[str, msgspec.Raw] = msgspec.field(default_factory=dict[str, msgspec.Raw])
    rate: tuple[RateForm, ...] = ()
    budget: tuple[BudgetForm, ...] = ()
    wallet_rule: tuple[RuleForm, ...] = ()
    credit: CreditTable = CreditTable()
    package: tuple[PackageTable, ...] = ()


def document_schema() -> dict[str, object]:
    """The JSON Schema of the whole document."""
    schema = msgspec.json.schema(DocumentForm)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}

"""A wallet rule as people write it: whose credits requests use, by which weights."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Final

import msgspec

from tokonomi.credits.grant import credits_to_text
from tokonomi.credits.package import weight_from_text
from tokonomi.credits.wallet import WalletRule
from tokonomi.credits.weights import MILLI, Weights
from tokonomi.errors import BadInput

_CREDITS: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A wallet rule with what a credit is in its wallets.

    Attributes:
        rule: whose wallet a request uses.
        weights: what the classes of its tokens count.
        low_at: milli-credits at which a wallet is told to run low, None for never.
    """

    rule: WalletRule
    weights: Weights = field(default_factory=Weights)
    low_at: int | None = None


class RuleForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may stand in a wallet rule's table."""

    per: str
    required: bool = True
    tokens: int = MILLI
    weights: dict[str, str | int] = {}
    low_at: str | int | None = None


def rule_from_table(stated: Mapping[str, object]) -> StoredRule:
    """The rule that a table states: `per`, `required`, `tokens`, `weights`, `low_at` in credits.

    Raises:
        BadInput: an unknown key, class or dimension, or a wrong type.

    >>> rule = rule_from_table({"per": "user", "weights": {"output": "8"}, "low_at": "10"})
    >>> rule.weights.weight("output"), rule.low_at
    (Fraction(8, 1), 10000)
    """
    try:
        table = msgspec.convert(dict(stated), RuleForm)
    except msgspec.ValidationError as wrong:
        raise BadInput(
            f"a wallet rule: {wrong}",
            remedy=f"It may have {', '.join(RuleForm.__struct_fields__)}.",
        ) from None
    weights = {name: weight_from_text(text, name) for name, text in table.weights.items()}
    return StoredRule(
        WalletRule(per=table.per, required=table.required),
        Weights(table.tokens, weights),
        None if table.low_at is None else credits_from_text(str(table.low_at)),
    )


def rule_to_table(stored: StoredRule) -> dict[str, object]:
    """The table that states a rule; `rule_from_table` reads it back."""
    table: dict[str, object] = {
        "per": stored.rule.per,
        "required": stored.rule.required,
        "tokens": stored.weights.tokens_per_credit,
        "weights": {name: str(weight) for name, weight in sorted(stored.weights.stated.items())},
    }
    if stored.low_at is not None:
        table["low_at"] = credits_to_text(stored.low_at)
    return table


def credits_from_text(text: str) -> int:
    """The milli-credits that a person states in credits: `300` or `0.5`.

    Raises:
        BadInput: not a number of credits, or finer than a thousandth.

    >>> credits_from_text("0.5")
    500
    """
    if not _CREDITS.fullmatch(text):
        raise BadInput(
            f"{text!r} is no number of credits",
            remedy="Write 300 or 0.5, with at most three decimals.",
        )
    return int(Fraction(Decimal(text)) * MILLI)

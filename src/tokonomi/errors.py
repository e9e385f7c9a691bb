"""One tree of errors; each has a stable code, says what happened, and what to do next.

    TokonomiError
    ├── BadInput            bad_input            a value from a person, a file or a wire is wrong
    │   ├── BadMoney        bad_money            not an amount, or not of that currency
    │   ├── AmountTooLarge  amount_too_large     an amount does not fit its column
    │   ├── ImpossibleUsage impossible_usage     token counts that cannot be true together
    │   ├── BadPrices       bad_prices           a price file is wrong
    │   ├── BadConfig       bad_config           the configuration is wrong
    │   ├── BadPlan         bad_plan             a scenario is wrong, or cannot be priced
    │   └── WrongUsage      wrong_usage          a command was asked for what it does not know
    ├── NotFound            not_found            a thing named by a person does not exist
    ├── StartError          start_failed         a server of ours could not be started
    └── StoreError          store_error          the store cannot be read or written

Values that a caller is expected to handle (`Unpriced`, `Quarantined`) are not errors and live
beside the functions that return them.
"""

from typing import ClassVar


class TokonomiError(Exception):
    """An error that a person may read: `code: what happened. What to do next.`

    >>> print(BadMoney('"Rp abc" is not an amount', remedy="Write it like Rp 27.000."))
    bad_money: "Rp abc" is not an amount. Write it like Rp 27.000.
    """

    code: ClassVar[str] = "error"

    def __init__(self, what: str, *, remedy: str = "") -> None:
        self.what = what
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        text = f"{self.code}: {self.what.rstrip('.')}."
        return f"{text} {self.remedy}" if self.remedy else text


class BadInput(TokonomiError):
    """A value that came from outside is wrong."""

    code = "bad_input"


class BadMoney(BadInput):
    """A text is not an amount of money, or two currencies were mixed."""

    code = "bad_money"


class AmountTooLarge(BadInput):
    """An amount does not fit the 64-bit column that must hold it; nothing was written."""

    code = "amount_too_large"


class ImpossibleUsage(BadInput):
    """Token counts contradict each other; nothing was clamped."""

    code = "impossible_usage"


class BadPrices(BadInput):
    """A price file or a contract row is wrong."""

    code = "bad_prices"


class BadConfig(BadInput):
    """`tokonomi.toml` or a document is wrong, or something that it names is not there."""

    code = "bad_config"


class BadPlan(BadInput):
    """A scenario is wrong, contradicts itself or cannot be priced."""

    code = "bad_plan"


class WrongUsage(BadInput):
    """A command was asked for something that it does not know or cannot combine."""

    code = "wrong_usage"


class NotFound(TokonomiError):
    """Something that a person named does not exist."""

    code = "not_found"


class StartError(TokonomiError):
    """A server could not be started: its port is taken, or it ended before it answered."""

    code = "start_failed"


class StoreError(TokonomiError):
    """The store cannot be opened, read or written."""

    code = "store_error"

"""How what a line uses is measured against its holds, as bytes that outlive the process.

A line may settle a day after it was held, in another process and under other rules. It is measured
by those that its hold was made with.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

import msgspec

from tokonomi.credits.weights import Weights
from tokonomi.gateway.allowance import NOTHING_USED, BudgetMeasure, Measure, WalletMeasure
from tokonomi.money import ExchangeRate


class _OfBudget(msgspec.Struct, frozen=True, tag="budget", array_like=True):
    currency: str
    rates: tuple[ExchangeRate, ...]


class _OfWallet(msgspec.Struct, frozen=True, tag="wallet", array_like=True):
    weights: Weights


class _OfNothing(msgspec.Struct, frozen=True, tag="nothing", array_like=True):
    pass


_Stored = _OfBudget | _OfWallet | _OfNothing


def _written(value: object) -> str:
    assert isinstance(value, Fraction), "nothing else has a form of its own"
    return str(value)


def _read(kind: type, value: Any) -> Fraction:
    assert kind is Fraction, "nothing else has a form of its own"
    return Fraction(str(value))


_encode: Final = msgspec.msgpack.Encoder(enc_hook=_written).encode
_decode: Final = msgspec.msgpack.Decoder(tuple[_Stored, ...], dec_hook=_read).decode


def stored_measures(measures: Sequence[Measure]) -> bytes:
    """The measures of a line, to be stored."""
    return _encode([_stored(each) for each in measures])


def read_measures(text: bytes) -> tuple[Measure, ...]:
    """The measures that were stored."""
    return tuple(_measure(each) for each in _decode(text))


def _stored(measure: Measure) -> _Stored:
    match measure:
        case BudgetMeasure(currency=currency, rates=rates):
            # Only the rates from or to its currency can ever be asked for.
            used = tuple(each for each in rates if currency in (each.base, each.quote))
            return _OfBudget(currency, used)
        case WalletMeasure(weights=weights):
            return _OfWallet(weights)
        case _:
            return _OfNothing()


def _measure(stored: _Stored) -> Measure:
    match stored:
        case _OfBudget(currency=currency, rates=rates):
            return BudgetMeasure(currency, rates)
        case _OfWallet(weights=weights):
            return WalletMeasure(weights)
        case _OfNothing():
            return NOTHING_USED

"""Metering without a gateway: `track(client)` for the clients of `openai` and `anthropic`."""

from tokonomi.sdk.border import BORDER
from tokonomi.sdk.costs import Costs, Spend
from tokonomi.sdk.delivery import flush
from tokonomi.sdk.dimensions import labels
from tokonomi.sdk.tracking import costs_of, track

__all__ = ["Costs", "Spend", "costs_of", "failures", "flush", "labels", "track"]


def failures() -> int:
    """How often something of the metering went wrong in this process; the log has the first."""
    return BORDER.failures

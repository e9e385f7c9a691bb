"""A call that has ended, for laws that care about what it held and not what it used."""

from tokonomi.calls import Call, Intent, Status
from tokonomi.pricing.charge import Unpriced
from tokonomi.usage import Source, Usage


def ended_call(intent: Intent) -> Call:
    return Call(
        intent=intent,
        model_served="m",
        usage=Usage(at=intent.at, source=Source.ABSENT),
        cost=Unpriced("a call of a law"),
        status=Status.OK,
    )

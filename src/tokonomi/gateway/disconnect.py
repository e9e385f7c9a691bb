"""A client that leaves: what becomes of its call at the provider, and what its row counts.

Providers differ. Some stop writing, and billing, when the connection is closed; others bill the
complete answer all the same. Nothing on the wire tells which, so the operator says it of each
provider, and every row says which policy it was settled by:

- `cancel`: the call is ended at once. Counted is its input and what was relayed.
- `drain`: the answer is read to its end, within the call's total time and the size of a reply. The
  usage is the provider's own.
- `estimate`: the call is ended at once, and the provider is taken to finish it. Counted is its
  input and the longest answer that the request allows.

A call that waits for its connection was not sent: it is ended at once under every policy, and
costs nothing.
"""

from msgspec.structs import replace

from tokonomi.calls import Status
from tokonomi.gateway.settle import Exchange
from tokonomi.providers.settled_call import Counts, Ending, joined
from tokonomi.routing.provider import OnDisconnect


def policy_of(exchange: Exchange) -> OnDisconnect:
    """What its provider's section says, else the policy for the form of its answer.

    A stream is cancelled: what came of it is known. Nothing is known of a whole answer before its
    end, so it is read to it.
    """
    stated = exchange.target.provider.on_disconnect
    return stated or ("cancel" if exchange.request.stream else "drain")


def left(exchange: Exchange) -> Ending:
    """The row of a call that was ended because its client had left."""
    if not exchange.sent:
        why = "the client left before the call was sent: the provider got nothing"
        return Ending(Status.DISCONNECTED, unknown=why)
    policy = policy_of(exchange)
    where = "in the middle of its answer" if exchange.http_status else "before its answer"
    if policy == "estimate":
        what, counts = "counts as if the provider wrote all that it may", Counts.WHOLE
    else:
        what, counts = "what was sent of it is counted", Counts.RELAYED
    note = f"{_gone(where, policy)}: the call was ended, and {what}"
    return Ending(Status.DISCONNECTED, note=note, counts=counts)


def drained(ending: Ending) -> Ending:
    """The row of a call that went on to the end of its answer without its client."""
    note = f"{_gone('before the end', 'drain')}: the answer was read to its end"
    status = Status.DISCONNECTED if ending.status is Status.OK else ending.status
    return replace(ending, status=status, note=joined(note, ending.note))


def not_drained(ending: Ending, *, given_up: bool) -> Ending:
    """The row of a call that went on without its client, and failed.

    Where we gave it up, the provider may go on and bill: what was read of it is counted, and the
    rest of what it may bill is exposed.
    """
    note = _gone("before the end", "drain")
    if not given_up:
        return replace(ending, note=joined(note, ending.note))
    why = ending.note or ending.unknown
    note = f"{note}: the answer was not read to its end, and what was read is counted; {why}"
    return Ending(Status.DISCONNECTED, note=note, counts=Counts.RELAYED, may_bill=True)


def _gone(where: str, policy: OnDisconnect) -> str:
    return f"the client left {where}; on_disconnect = {policy}"

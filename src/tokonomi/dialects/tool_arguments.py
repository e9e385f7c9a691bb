"""Arguments of tool calls as an object, for the dialects that do not write them as text."""

import msgspec

from tokonomi.dialects.conversation import ToolCall
from tokonomi.dialects.refusal import CannotCarry


def arguments_of(call: ToolCall, at: str) -> msgspec.Raw | dict[str, object]:
    """The arguments, as the model wrote them.

    Raises:
        CannotCarry: they are no JSON object.
    """
    if not call.arguments.strip():
        return {}
    try:
        msgspec.json.decode(call.arguments, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise CannotCarry(
            at,
            f'calls "{call.name}" with arguments that are no JSON object',
            "Send the arguments as the model wrote them.",
        ) from None
    return msgspec.Raw(call.arguments.encode())

"""What a model call costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ThinkingPart
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.usage import RequestUsage
from pydantic_core import to_json

# A rule of thumb, for servers that do not report token usage.
CHARACTERS_PER_TOKEN: Final = 4
# More than any call uses; sums of it still fit the columns and JSON numbers.
MOST_TOKENS: Final = 2**31 - 1


def cost_of(response: ModelResponse) -> Decimal | None:
    """In US dollars; None if the model's price is unknown or the response reports no usage."""
    try:
        return response.cost().total_price
    except (LookupError, ValueError, AssertionError):
        return None


def counted(response: ModelResponse, asked: int) -> RequestUsage:
    """The reported usage, bounded to plausible numbers; an estimate if nothing was reported.

    `asked` is the number of characters sent to the model. Usage reported at the start of an interrupted answer is not
    the whole, so the larger of it and the estimate counts.
    """
    usage = response.usage
    said = _estimate(characters_of(response))
    whole = response.state == "complete" or response.finish_reason is not None
    return replace(
        usage,
        input_tokens=_within_reason(usage.input_tokens or _estimate(asked)),
        output_tokens=_within_reason((usage.output_tokens or said) if whole else max(usage.output_tokens, said)),
    )


def has_content(response: ModelResponse) -> bool:
    """Whether it is complete, or any text, thinking or tool call has arrived."""
    if response.state == "complete" or response.finish_reason is not None:
        return True
    return any(
        part.has_content() or getattr(part, "signature", None) if isinstance(part, TextPart | ThinkingPart) else True
        for part in response.parts
    )


def characters_of(message: ModelMessage) -> int:
    """Characters of one message's content and tool arguments, without the wire format."""
    said = [getattr(part, "content", None) or getattr(part, "args", None) or "" for part in message.parts]
    return sum(len(str(each)) for each in said)


def characters_sent(messages: Sequence[ModelMessage], parameters: ModelRequestParameters) -> int:
    """Characters of one request: the conversation, the instructions (sent once), and the tool and output schemas."""
    requests = [message for message in messages if isinstance(message, ModelRequest)]
    instructions = (requests[-1].instructions or "") if requests else ""
    tools = [
        {"name": tool.name, "description": tool.description, "parameters": tool.parameters_json_schema}
        for tool in (*parameters.function_tools, *parameters.output_tools)
    ]
    output = parameters.output_object
    described = [*tools, *([] if output is None else [output.json_schema, output.name, output.description])]
    said = sum(map(characters_of, messages)) + len(instructions)
    return said + sum(len(to_json(each).decode()) for each in described)


def _estimate(characters: int) -> int:
    return -(-characters // CHARACTERS_PER_TOKEN)


def _within_reason(tokens: int) -> int:
    return min(max(tokens, 0), MOST_TOKENS)

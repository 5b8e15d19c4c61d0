"""The one place that renders prompts, for training and for inference.

A prompt is a conversation: the task with a group's types, few-shot turns, and the transcript. The answer is the
transcript with inline tags. A literal ``<`` is shown to the model as a stand-in of one character, so that every
``<`` in an answer opens a tag and characters keep their place.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerBase

from pipeline.tagging.entities import Span, strip_tags
from pipeline.tagging.groups import Group

STAND_IN = "‹"

TEMPLATE_VARIABLES: dict[str, Any] = {"date_string": "26 Jul 2024"}
"""What a chat template is given beside the messages, wherever it is used: Llama 3's would write today's date, and a
prompt would change from day to day."""

_TASK = (
    "You mark sensitive information in transcripts of doctor-patient talk in English, Taiwanese Mandarin or a mix "
    "of both. Repeat the transcript exactly, character by character, and put each entity of the types below "
    "between <TYPE> and </TYPE>. Correct nothing, add nothing and leave nothing out. If there is no such entity, "
    "repeat the transcript as it is."
)


@dataclass(frozen=True)
class Prompt:
    """What the model is told before it reads a transcript.

    Attributes:
        group: Name of the group.
        types: The group's types with their descriptions.
        system: The system message.
        examples: Few-shot turns as tagged text; the question is the same text without its tags.
    """

    group: str
    types: dict[str, str]
    system: str
    examples: tuple[str, ...]

    @classmethod
    def of(cls, group: Group, few_shot: int | None = None) -> "Prompt":
        """Make a group's prompt from its first ``few_shot`` examples; None takes all."""
        listed = "\n".join(f"- {type_}: {line}" for type_, line in group.types.items())
        return cls(group.name, dict(group.types), f"{_TASK}\n\nTypes:\n{listed}", group.examples[:few_shot])


def messages(prompt: Prompt, transcript: str) -> list[dict[str, str]]:
    """Make the chat messages that end with the transcript."""
    chat = [{"role": "system", "content": prompt.system}]
    for example in prompt.examples:
        chat.append({"role": "user", "content": strip_tags(example)})
        chat.append({"role": "assistant", "content": example})
    return [*chat, {"role": "user", "content": guard(transcript)}]


def render(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, transcript: str) -> str:
    """Render a prompt up to where the answer starts; the chat template writes the one BOS, if the model has one."""
    return str(
        tokenizer.apply_chat_template(
            messages(prompt, transcript), tokenize=False, add_generation_prompt=True, **TEMPLATE_VARIABLES
        )
    )


def encode(tokenizer: PreTrainedTokenizerBase, rendered: str) -> list[int]:
    """Turn a rendered prompt into token ids, without a second BOS."""
    return list(tokenizer(rendered, add_special_tokens=False)["input_ids"])


def end_of_turn(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return what the chat template writes after an answer, up to the end of its special token."""
    answer = "answer"
    rendered = tokenizer.apply_chat_template(
        [{"role": "user", "content": "question"}, {"role": "assistant", "content": answer}],
        tokenize=False,
        **TEMPLATE_VARIABLES,
    )
    return str(rendered).rpartition(answer)[2].strip()


def completion(text: str, spans: Iterable[Span]) -> str:
    """Write the answer: the transcript with inline tags.

    Args:
        text: The transcript.
        spans: Entities of one group, in any order; half open, in characters.

    Raises:
        ValueError: A span is empty, lies outside the text, has a space at an edge or overlaps another.
    """
    pieces: list[str] = []
    end = 0
    for span in sorted(spans, key=lambda span: span.char_start):
        entity = text[span.char_start : span.char_end]
        if span.char_start < end or span.char_end > len(text) or not entity or entity != entity.strip():
            raise ValueError(f"span {span.char_start}-{span.char_end} of {span.type} cannot be tagged")
        pieces += [guard(text[end : span.char_start]), f"<{span.type}>", guard(entity), f"</{span.type}>"]
        end = span.char_end
    return "".join([*pieces, guard(text[end:])])


def guard(text: str) -> str:
    """Replace what a prompt cannot hold, character for character: ``<``, and half a surrogate pair by ``?``."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("<", STAND_IN)

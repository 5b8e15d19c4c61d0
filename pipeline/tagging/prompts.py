"""The one place that renders prompts, for training and for inference.

A prompt is a conversation: the task with the types of an entity group, few-shot turns, and the transcript. The answer
is the transcript with inline tags. The model reads a stand-in of one character for every ``<`` of a transcript: so each
``<`` in an answer opens a tag, and characters keep their place. So does what a tokenizer cannot write, see
``pipeline.tagging.alphabet``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pipeline.tagging.entities import Span, strip_tags
from pipeline.tagging.entity_groups import LONGEST, EntityGroup

if TYPE_CHECKING:  # it takes half a second to import
    from transformers import PreTrainedTokenizerBase

STAND_IN = "‹"

TEMPLATE_VARIABLES: dict[str, Any] = {"date_string": "26 Jul 2024"}
"""Variables for every chat template. Without them Llama 3's writes today's date, and prompts change from day to day."""

_TASK = (
    "You mark sensitive information in transcripts of doctor-patient talk in English, Taiwanese Mandarin or a mix "
    "of both. Repeat the transcript exactly, character by character, and put each entity of the types below "
    "between <TYPE> and </TYPE>. Correct nothing, add nothing and leave nothing out. If there is no such entity, "
    "repeat the transcript as it is."
)


@dataclass(frozen=True)
class Prompt:
    """What the model reads before a transcript.

    Attributes:
        group: Name of the entity group.
        types: Its types with their descriptions.
        system: The system message.
        examples: Few-shot turns as tagged text; the question is the same text without its tags.
        longest: Most characters of an entity by type, which the constraint keeps to; a type without has no limit.
    """

    group: str
    types: dict[str, str]
    system: str
    examples: tuple[str, ...]
    longest: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, group: EntityGroup, few_shot: int | None = None, brief: bool = False) -> "Prompt":
        """Make the prompt of an entity group.

        Args:
            group: The entity group.
            few_shot: Number of its examples to show; None takes all.
            brief: Name the types alone, for models that learn from many examples what they are.
        """
        if brief:
            system = f"Repeat the text and tag {', '.join(group.types)}."
        else:
            listed = "\n".join(f"- {type_}: {line}" for type_, line in group.types.items())
            system = f"{_TASK}\n\nTypes:\n{listed}"
        return cls(group.name, dict(group.types), system, group.examples[:few_shot], dict(group.longest))

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Prompt":
        """Make a prompt from what ``to_json`` returned; other keys are ignored.

        Raises:
            KeyError: A key is missing.
            TypeError: A value is of another kind, or the content is no object.
            ValueError: The types are no object.
        """
        longest = dict(content.get("longest", {}))
        return cls(content["group"], dict(content["types"]), content["system"], tuple(content["few_shot"]), longest)

    def to_json(self) -> dict[str, Any]:
        """Return the content of a dataset's ``prompt.json``, which is also part of an adapter's ``tagging.json``."""
        told = {"group": self.group, "types": self.types, "system": self.system, "few_shot": list(self.examples)}
        return told | {"longest": dict(self.longest)}

    def with_room_for(self, texts: Iterable[tuple[str, int]]) -> "Prompt":
        """Return the prompt with room for entities half as long again as those of a training set.

        Args:
            texts: Type and number of characters of each entity.
        """
        longest = {type_: self.longest.get(type_, LONGEST) for type_ in self.types}
        for type_, characters in texts:
            longest[type_] = max(longest[type_], characters + characters // 2)
        return replace(self, longest=longest)

    def with_examples(self, few_shot: int | None) -> "Prompt":
        """Return the prompt with its first ``few_shot`` examples; None takes all."""
        return replace(self, examples=self.examples[:few_shot])


def messages(prompt: Prompt, transcript: str) -> list[dict[str, str]]:
    """Make the chat messages that end with the transcript."""
    chat = [{"role": "system", "content": prompt.system}]
    for example in prompt.examples:
        chat.append({"role": "user", "content": strip_tags(example)})
        chat.append({"role": "assistant", "content": example})
    return [*chat, {"role": "user", "content": guard(transcript)}]


def render(tokenizer: "PreTrainedTokenizerBase", prompt: Prompt, transcript: str) -> str:
    """Render a prompt up to where the answer starts; the chat template writes the one BOS, if the model has one."""
    return str(
        tokenizer.apply_chat_template(
            messages(prompt, transcript), tokenize=False, add_generation_prompt=True, **TEMPLATE_VARIABLES
        )
    )


def encode(tokenizer: "PreTrainedTokenizerBase", rendered: str) -> list[int]:
    """Turn a rendered prompt into token ids, without a second BOS."""
    return list(tokenizer(rendered, add_special_tokens=False)["input_ids"])


def end_of_turn(tokenizer: "PreTrainedTokenizerBase") -> str:
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
        spans: Entities of one entity group, in any order; half open, in characters.

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

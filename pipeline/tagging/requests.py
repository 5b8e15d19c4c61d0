"""A transcript and a prompt as a request to the decoder: the same in training's scores and in inference."""

from transformers import PreTrainedTokenizerBase

from pipeline.tagging.constraint import Constraint, Vocabulary
from pipeline.tagging.decoding import Prefix, Request
from pipeline.tagging.prompts import Prompt, encode, guard, render


def request(
    tokenizer: PreTrainedTokenizerBase,
    vocabulary: Vocabulary,
    prompt: Prompt,
    transcript: str,
    prefix: Prefix,
    max_entities: int,
    opening_bias: float = 0.0,
) -> Request:
    """Ask for the entities of one entity group in a transcript.

    Args:
        tokenizer: The model's tokenizer.
        vocabulary: Its vocabulary.
        prompt: The prompt of the entity group.
        transcript: Any text.
        prefix: The expected beginning of the prompt.
        max_entities: Most entities to find.
        opening_bias: See ``Constraint``.
    """
    text = vocabulary.alphabet.write(guard(transcript))
    constraint = Constraint(vocabulary, text, list(prompt.types), max_entities, opening_bias, prompt.longest)
    return Request(encode(tokenizer, render(tokenizer, prompt, text)), constraint, prefix)

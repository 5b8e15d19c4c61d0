"""Find entities with a fixed form by patterns, checks and context words, which are read from YAML."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.submission import TYPE
from pipeline.tagging.checks import Check, check_by_name
from pipeline.tagging.entities import Entity, parse
from pipeline.tagging.entries import check_keys, check_languages, check_texts, is_texts, read_entries
from pipeline.tagging.overlaps import resolve_overlaps
from pipeline.tagging.spoken import Reading, addresses, numbers, plain, simplified

BUILT_IN = Path(__file__).with_name("patterns.yaml")
GROUP = "patterns"

_NEAR = 40  # characters before a match in which a context word counts, unless the pattern says otherwise
_FALLING = 0.001  # decrease of the confidence per character between context word and match

_START = "(?<![A-Za-z0-9])(?<![0-9][.:/-])"
_END = "(?![A-Za-z0-9]|[.:/-][0-9])"
_AT_END = re.compile(_END)
_DAY, _MONTH, _YEAR = "(?:0?[1-9]|[12][0-9]|3[01])", "(?:0?[1-9]|1[0-2])", "(?:19|20)[0-9]{2}"
_DATE = rf"{_YEAR}(?:[ -]{_MONTH}[ -]{_DAY}(?![0-9])|$)|(?:{_DAY}[ -]{_MONTH}|{_MONTH}[ -]{_DAY})[ -]{_YEAR}(?![0-9])"
_PRESSURE = "(?:9[0-9]|1[0-9]{2}|2[0-4][0-9]) (?:[4-9][0-9]|1[0-2][0-9])"
_NO_NUMBER = re.compile(rf"{_DATE}|{_PRESSURE} {_PRESSURE}(?![0-9])")
_SMALL_NUMBERS = re.compile("[0-9]{1,3}(?: [0-9]{1,3})+")
_KEYS = frozenset({"name", "type", "languages", "reads", "pattern", "case", "examples"})
_OPTIONAL = frozenset({"check", "confidence", "context", "unless", "in_context", "near"})
_READS: dict[str, Callable[[Reading], Reading]] = {
    "as written": lambda reading: reading,
    "numbers": numbers,
    "addresses": addresses,
}


@dataclass(frozen=True)
class Pattern:
    """A pattern that finds entities of one type.

    Attributes:
        name: Name that describes what is found.
        type: Type of the entities.
        languages: Languages of the transcripts that are searched.
        reads: Reading of the transcript that is searched: ``as written``, ``numbers`` or ``addresses``.
        expression: Regular expression of an entity, between word boundaries.
        check: Check that a match must pass, or None. If it fails, shorter matches are tried.
        confidence: Confidence of a match in 0..1, or None if it needs a context word.
        words: The context words as they read in small letters.
        context: Regular expression of the context words, or None if there are none.
        unless: Regular expression of words that undo a context word before them for small numbers, or None.
        in_context: Confidence in 0..1 of a match directly after a context word.
        near: Number of characters before a match in which a context word counts.
        examples: Tagged sentences.
    """

    name: str
    type: str
    languages: frozenset[str]
    reads: str
    expression: re.Pattern[str]
    check: Check | None
    confidence: float | None
    words: tuple[str, ...]
    context: re.Pattern[str] | None
    unless: re.Pattern[str] | None
    in_context: float
    near: int
    examples: tuple[str, ...]


def load_patterns(path: Path | None = None) -> tuple[Pattern, ...]:
    """Read patterns from a YAML file in the format of the built-in one.

    Args:
        path: The file. None reads the built-in patterns. An entry ``include: built-in`` adds them to those of the
            file, and an empty list gives no patterns.

    Raises:
        UserError: The file cannot be read, or a pattern in it is malformed or contradicts its examples.
    """
    return tuple(_pattern(where, body) for where, body in read_entries(path or BUILT_IN, BUILT_IN, "pattern"))


def find(patterns: Iterable[Pattern], text: str, language: str) -> list[Entity]:
    """Find entities in a transcript.

    Args:
        patterns: The patterns.
        text: The transcript.
        language: Its language, ``en`` or ``zh``.

    Returns:
        Entities with the group ``patterns`` and the source ``pattern``, sorted by start. They start and end at word
        boundaries, without spaces. Of overlapping entities, the one with the highest confidence is returned.
    """
    readings = {"as written": plain(text)}
    small = {"as written": readings["as written"].text.lower()}
    found = []
    for pattern in patterns:
        if language not in pattern.languages:
            continue
        if pattern.reads not in readings:
            readings[pattern.reads] = _READS[pattern.reads](readings["as written"])
            small[pattern.reads] = readings[pattern.reads].text.lower()
        reading = readings[pattern.reads]
        if pattern.confidence is None and not any(word in small[pattern.reads] for word in pattern.words):
            continue
        end = 0
        for match in _matches(pattern, reading.text):
            if pattern.check is None and pattern.confidence is None and _NO_NUMBER.match(match.group()):
                continue
            before = reading.text[max(end, match.start() - pattern.near) : match.start()]
            confidence = _confidence(pattern, before, match.group())
            end = match.end()
            if confidence is not None:
                start, stop = _without_spaces(text, *reading.span(*match.span()))
                found.append(Entity(pattern.type, GROUP, text[start:stop], start, stop, confidence, "pattern"))
    best = [entity for entity in resolve_overlaps(found) if entity.kept]
    return sorted(best, key=lambda entity: entity.char_start)


def _matches(pattern: Pattern, text: str) -> Iterator[re.Match[str]]:
    """Yield the longest matches that pass the check, from left to right."""
    position = 0
    while (match := pattern.expression.search(text, position)) is not None:
        start = match.start()
        found = match if pattern.check is None else _longest_that_passes(pattern.expression, pattern.check, match)
        if found is not None and found.group().strip():
            yield found
            position = found.end()
        else:
            position = start + 1


def _longest_that_passes(expression: re.Pattern[str], check: Check, match: re.Match[str]) -> re.Match[str] | None:
    text, start, shorter = match.string, match.start(), match
    while not check(shorter.group()):
        end = shorter.end() - 1
        while end > start and not _AT_END.match(text, end):  # the expression cannot look beyond ``end``
            end -= 1
        following = expression.match(text, start, end)
        if following is None:
            return None
        shorter = following
    return shorter


def _without_spaces(text: str, start: int, end: int) -> tuple[int, int]:
    inner = text[start:end]
    return start + len(inner) - len(inner.lstrip()), start + len(inner.rstrip())


def _confidence(pattern: Pattern, before: str, found: str) -> float | None:
    """Return the confidence of a match after the text ``before``, or None if it lacks the context that it needs."""
    ends = [match.end() for match in pattern.context.finditer(before)] if pattern.context else []
    if not ends or (pattern.unless and _SMALL_NUMBERS.fullmatch(found) and pattern.unless.search(before, ends[-1])):
        return pattern.confidence
    return max(pattern.in_context - _FALLING * (len(before) - ends[-1]), pattern.confidence or 0.0)


def _pattern(where: str, body: dict[str, Any]) -> Pattern:
    check_keys(where, body, _KEYS, _OPTIONAL)
    check_texts(where, body, ("name", "type", "reads", "pattern", "case", "check"))
    check_languages(where, body["languages"])
    if not TYPE.fullmatch(body["type"]):
        raise UserError(f"{where}: `type:` is made of capital letters, digits, _ and -.")
    if body["reads"] not in _READS:
        raise UserError(f"{where}: `reads:` is {', '.join(_READS)}.")
    if body["case"] not in ("ignore", "match"):
        raise UserError(f"{where}: `case:` is ignore or match.")
    for key in ("confidence", "in_context"):
        if key in body and not (type(body[key]) in (int, float) and 0 <= body[key] <= 1):
            raise UserError(f"{where}: `{key}:` is a number from 0 to 1.")
    if ("context" in body) != ("in_context" in body) or not body.keys() & {"confidence", "context"}:
        raise UserError(f"{where}: give `confidence:`, or `context:` and `in_context:`, or all three.")
    if "near" in body and not ("context" in body and type(body["near"]) is int and body["near"] > 0):
        raise UserError(f"{where}: `near:` is a number of characters such as 15, and goes with `context:`.")
    if "unless" in body and "context" not in body:
        raise UserError(f"{where}: `unless:` goes with `context:`.")
    for key in ("context", "unless"):
        if key in body and (not is_texts(body[key]) or not all(plain(word).text for word in body[key])):
            raise UserError(f"{where}: `{key}:` is a list of words such as [phone, 電話].")
    if not is_texts(body["examples"]) or not body["examples"]:
        raise UserError(f"{where}: `examples:` is a list of tagged sentences.")
    try:
        re.compile(body["pattern"])
        flags = re.ASCII | (re.IGNORECASE if body["case"] == "ignore" else 0)
        expression = re.compile(rf"{_START}(?:{simplified(body['pattern'])}){_END}", flags)
    except re.error as error:
        raise UserError(f"{where}: `pattern:` is no regular expression: {error}.") from error
    try:
        check = check_by_name(body["check"]) if "check" in body else None
    except ValueError as error:
        raise UserError(f"{where}: `check: {body['check']}`: {error}.") from error
    words = _words(body.get("context", []))
    pattern = Pattern(
        body["name"],
        body["type"],
        frozenset(body["languages"]),
        body["reads"],
        expression,
        check,
        body.get("confidence"),
        words,
        _any_of(words),
        _any_of(_words(body.get("unless", []))),
        body.get("in_context", 0.0),
        body.get("near", _NEAR),
        tuple(body["examples"]),
    )
    for number, example in enumerate(pattern.examples, 1):
        _check_example(f"{where}, example {number}", pattern, example)
    return pattern


def _words(written: Iterable[str]) -> tuple[str, ...]:
    return tuple(plain(word).text.lower() for word in written)


def _any_of(words: Sequence[str]) -> re.Pattern[str] | None:
    """Compile words, if there are any: English ones match as whole words, Chinese ones anywhere."""
    if not words:
        return None
    alternatives = (
        rf"{_START if word[0].isascii() else ''}{re.escape(word)}{_END if word[-1].isascii() else ''}" for word in words
    )
    return re.compile("|".join(alternatives), re.IGNORECASE)


def _check_example(where: str, pattern: Pattern, example: str) -> None:
    try:
        text, spans = parse(example)
    except ValueError as error:
        raise UserError(f"{where}: {error}.") from error
    finds = find([pattern], text, min(pattern.languages))  # any of them: a pattern finds the same in all
    found = [(entity.type, entity.char_start, entity.char_end) for entity in finds]
    if found != [(span.type, span.char_start, span.char_end) for span in spans]:
        places = ", ".join(f"{start}-{end}" for _, start, end in found) or "nothing"
        raise UserError(f"{where}: the pattern finds {places} (characters without the tags); the tags say otherwise.")

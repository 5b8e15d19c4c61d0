"""Post-processing of the entities of a transcript: patterns, thresholds, rules, overlaps, repeats and times."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pipeline.errors import UserError
from pipeline.settings import TaggerSettings
from pipeline.speech.words import Transcript
from pipeline.submission import unknown_type
from pipeline.tagging.calibration import calibrated
from pipeline.tagging.entities import Entity
from pipeline.tagging.known_types import known_types
from pipeline.tagging.mentions import find_mentions
from pipeline.tagging.overlaps import resolve_overlaps
from pipeline.tagging.patients import read_patients
from pipeline.tagging.patterns import GROUP, find, load_patterns
from pipeline.tagging.rules import Rule, apply_rules, load_rules


class PostProcessor:
    """Adds entities found by patterns, calibrates confidences, selects what to keep, adds other mentions and the times.

    Args:
        settings: The settings ``patterns``, ``calibration``, ``thresholds``, ``rules`` and ``repeats`` are used.

    Raises:
        UserError: The file with patterns or rules is malformed, or a rule, shift or threshold is for an unknown type.
    """

    def __init__(self, settings: TaggerSettings):
        self._patterns, self._rules = load_patterns(settings.patterns), load_rules(settings.rules)
        self._calibration, self._thresholds, self._repeats = settings.calibration, settings.thresholds, settings.repeats
        if settings.patients:
            read_patients(settings.patients)
        known = known_types(settings.groups_file, settings.patterns) | known_types()
        shifted = settings.calibration.shifts.keys() - {GROUP}
        given = [(f"--tagger.thresholds {type_}", type_) for type_ in self._thresholds]
        given += [(f"--tagger.calibration.shifts {type_}", type_) for type_ in shifted]
        given += [
            (f"--tagger.rules, {rule.name}", type_) for rule in self._rules for type_ in (*rule.types, rule.to) if type_
        ]
        for where, type_ in given:
            if type_ not in known:
                raise UserError(f"{where}: {unknown_type(type_, known)}.")

    def __call__(self, transcript: Transcript, tagged: Sequence[Entity]) -> list[Entity]:
        """Post-process the entities of a transcript.

        Args:
            transcript: The transcript; without timed words, the entities have no times.
            tagged: The entities that the adapters found in it.

        Returns:
            All entities with their times, as sorted and marked by ``keep_or_drop``.
        """
        found = [*tagged, *find(self._patterns, transcript.text, transcript.language)]
        found = [calibrated(self._calibration, entity) for entity in found]
        selected = keep_or_drop(found, transcript.language, self._rules, self._thresholds)
        if self._repeats != "none":
            again = find_mentions(transcript.text, selected)
            selected = sorted([*selected, *again], key=lambda entity: (entity.char_start, entity.char_end))
        return with_times(selected, transcript)


def with_times(entities: Sequence[Entity], transcript: Transcript) -> list[Entity]:
    """Give entities the times of their words; without timed words, they have none."""
    if not transcript.words:
        return list(entities)
    times = [transcript.times(entity.char_start, entity.char_end) for entity in entities]
    return [replace(each, start_s=start, end_s=end) for each, (start, end) in zip(entities, times, strict=True)]


def keep_or_drop(
    entities: Sequence[Entity], language: str, rules: Iterable[Rule], thresholds: Mapping[str, float]
) -> list[Entity]:
    """Apply the thresholds, then the rules, then resolve overlaps.

    Args:
        entities: The entities that adapters and patterns found in one transcript.
        language: Language of the transcript, ``en`` or ``zh``.
        rules: The rules in order.
        thresholds: Minimum confidence in 0..1 by type; other types have no threshold.

    Returns:
        All entities, sorted by start and end. Dropped ones have ``kept=False`` and a cause. Kept ones do not overlap.
    """
    selected = resolve_overlaps(apply_rules(rules, apply_thresholds(thresholds, entities), language))
    return sorted(selected, key=lambda entity: (entity.char_start, entity.char_end))


def apply_thresholds(thresholds: Mapping[str, float], entities: Iterable[Entity]) -> list[Entity]:
    """Drop entities below the threshold of their type.

    Args:
        thresholds: Minimum confidence in 0..1 by type; other types have no threshold.
        entities: The entities. Those without a confidence are kept.

    Returns:
        All entities in order. Dropped ones have ``kept=False`` and the cause ``threshold``.
    """
    return [
        replace(entity, kept=False, cause="threshold")
        if entity.kept and entity.confidence is not None and entity.confidence < thresholds.get(entity.type, 0.0)
        else entity
        for entity in entities
    ]

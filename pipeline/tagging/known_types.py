"""Which types of entities there are."""

from functools import cache
from pathlib import Path

from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.patterns import load_patterns


@cache
def known_types(groups_file: Path | None = None, patterns: Path | None = None) -> frozenset[str]:
    """Return all types of the entity groups and patterns: of those that are built in, or of files in their place.

    Raises:
        UserError: A file cannot be read or is malformed.
    """
    types = {type_ for group in load_entity_groups(groups_file) for type_ in group.types}
    return frozenset(types) | {pattern.type for pattern in load_patterns(patterns)}

"""Names of time measures, and how they are abbreviated."""

MEASURES = ("year", "month", "week", "day", "hour", "minute", "second")
ABBREVIATED = {"h": "hour", "hr": "hour", "min": "minute", "sec": "second", "wk": "week", "yr": "year", "mth": "month"}
ABBREVIATED |= {short + "s": name + "s" for short, name in ABBREVIATED.items() if short != "h"}


def in_full(word: str, behind_number: bool, plural: bool) -> str:
    """Write an abbreviated time measure in full; any other word is returned as it is.

    Without a number, only a plural is understood: "hr", "min" and "h" may be a department, a name or an initial.

    Args:
        word: In lower case.
        behind_number: Whether a number stands before it.
        plural: Whether that number asks for the plural: "12 hr" are hours, "1 hr" and "a 12-hr shift" an hour.
    """
    if word not in ABBREVIATED or not (behind_number or word.endswith("s")):
        return word
    name = ABBREVIATED[word]
    return name + "s" if behind_number and plural and not name.endswith("s") else name

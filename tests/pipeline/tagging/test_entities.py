"""Tagged text is read only where each tag has its partner and each entity is a whole one."""

import pytest

from pipeline.tagging.entities import Span, parse, strip_tags


def test_tagged_text_is_text_and_spans():
    tagged = "<PATIENT>Ann</PATIENT> on <DATE>May 5</DATE>."
    assert parse(tagged) == ("Ann on May 5.", [Span("PATIENT", 0, 3), Span("DATE", 7, 12)])
    assert strip_tags(tagged) == "Ann on May 5."


@pytest.mark.parametrize(
    ("tagged", "reason"),
    [
        ("on <DATE>May", "tag <DATE> has no partner"),
        ("on May</DATE>", "tag </DATE> has no partner"),
        ("<DATE>May</TIME>", "tag </TIME> has no partner"),
        ("<DATE>May <TIME>5</TIME></DATE>", "tag <TIME> has no partner"),
        ("<DATE></DATE>", "an entity of DATE is empty or has a space at an edge"),
        ("<DATE> May</DATE>", "an entity of DATE is empty or has a space at an edge"),
        ("a < b", "a < opens no tag"),
    ],
)
def test_anything_else_is_an_error_without_its_text(tagged, reason):
    with pytest.raises(ValueError, match=f"^{reason}$"):
        parse(tagged)

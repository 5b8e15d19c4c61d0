"""What may be read as one number and also otherwise: "ten to twelve" is 1150, or a range."""

from pipeline.corpus.merging import APART, rule
from pipeline.corpus.spoken_parts import MEASURE, clock, minutes_of

_HOUR = r"(?:0?[1-9]|1\d|2[0-4])"
_ON_THE_CLOCK = r"(?:0?[1-9]|1[0-2])"
_NOT_MEASURED = rf"(?![ ](?:(?:{MEASURE}|time|degree|dollar)s?|percent|point)(?![^ ]))"
_WITH_AM = rf"(?=[ ](?:[ap]m|[ap][ ][{APART}]?m)(?![^ ]))"
_AT = r"(?:(?<=^)|(?<=at[ ])|(?<=by[ ])|(?<=until[ ])|(?<=till[ ]))"
_LENGTH = "[年月天日週周歲岁秒]|分[ ][鐘钟]|(?:[個个][ ])?(?:月|小[ ][時时]|星[ ]期|禮[ ]拜|鐘[ ]頭)"
_MEASURED_ZH = f"{_LENGTH}|[度倍元塊]|公[ ][斤分里尺]|毫[ ][克升]"

POSSIBLE_PARTS = [
    rule(
        rf"""(?<!from[ ])(?P<minutes>5|10|20|25|[1-5]?\d(?=[ ]minutes)|quarter)[ ](?:minutes[ ])?
        (?P<side>to|before|till|til|of|after)[ ](?P<hour>{_ON_THE_CLOCK}){_NOT_MEASURED}""",
        lambda match: clock(match["hour"], minutes_of(match["minutes"]), match["side"] != "after"),
    ),
    rule(
        rf"(?P<hour>{_HOUR})\.(?P<minutes>[0-5]\d){_WITH_AM}", lambda match: clock(match["hour"], int(match["minutes"]))
    ),
    rule(
        rf"{_AT}(?P<hour>{_HOUR})\.(?P<minutes>[0-5]\d){_NOT_MEASURED}",
        lambda match: clock(match["hour"], int(match["minutes"])),
    ),
    rule(rf"(?:a[ ])?half[ ](?:an?[ ])?(?P<measure>{MEASURE})", lambda match: f"0.5{match['measure']}s"),
    rule(
        rf"""差[ ](?P<minutes>[1-5]?\d|[123][ ]刻)[ ]?(?:分[ ])?(?:[鐘钟][ ])?(?:[就到][ ])?
        (?P<hour>{_ON_THE_CLOCK})[ ][點点](?![ ](?:半|\d))""",
        lambda match: clock(match["hour"], minutes_of(match["minutes"]), before=True),
    ),
    rule(
        rf"(?P<hour>{_HOUR})[ ][點点][ ](?P<minutes>0\d|[1-5]\d)(?![ ](?:{_MEASURED_ZH}))",
        lambda match: clock(match["hour"], int(match["minutes"])),
    ),
    rule(r"(?P<whole>\d+)[ ][點点][ ](?P<part>\d+)(?:[ ][個个])?", lambda match: f"{match['whole']}.{match['part']}"),
    rule(rf"半[ ](?:[個个][ ])?(?P<measure>{_LENGTH})", lambda match: "0.5" + match["measure"].replace(" ", "")),
]

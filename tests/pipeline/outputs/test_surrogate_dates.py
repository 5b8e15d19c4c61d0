"""Surrogates of dates and times: moved by one number of days and hours, to what exists, in the same form."""

from datetime import date, datetime, timedelta

import pytest

from pipeline.outputs.surrogate_dates import other_date
from pipeline.outputs.surrogate_move import Move, move_of
from pipeline.outputs.surrogate_words import NoSurrogateError

MOVE = Move(days=59, hours=1, years=1, direction=1)  # to 28 April from 29 February, two months, three weekdays


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("29 February 2024", "28 April 2024"),
        ("the 29th of February", "the 28th of April"),
        ("February twenty ninth", "April twenty eighth"),
        ("February twenty ninth, twenty twenty four", "April twenty eighth, twenty twenty four"),
        ("December twenty-second, nineteen ninety nine", "February nineteenth, two thousand"),
        ("May 22, 2016", "July 20, 2016"),
        ("Feb 29", "Apr 28"),
        ("Sept. 5, 2020", "Nov. 3, 2020"),
        ("29-Feb-2024", "28-Apr-2024"),
        ("29 Feb '24", "28 Apr '24"),
        ("2/29/2024", "4/28/2024"),
        ("29/02/2024", "28/04/2024"),
        ("03/04/2024", "01/06/2024"),
        ("2024-02-29", "2024-04-28"),
        ("20240229", "20240428"),
        ("2/29", "4/28"),
        ("民國113年2月29日", "民國113年4月28日"),
        ("113年12月29日", "114年2月26日"),
        ("113/02/29", "113/04/28"),
        ("民國 113 年 2 月 29 日", "民國 113 年 4 月 28 日"),
        ("民國一百一十三年二月二十九日", "民國一百一十三年四月二十八日"),
        ("一一三年二月二十九日", "一一三年四月二十八日"),
        ("中華民國113年02月29日", "中華民國113年04月28日"),
        ("1130229", "1130428"),
        ("二月廿九", "四月廿八"),
        ("3/5(三)", "5/3(六)"),
        ("two twenty nine twenty twenty four", "four twenty eight twenty twenty four"),
        ("MAY SECOND", "JUNE THIRTIETH"),
        ("February 29 2024 at half past ten", "April 28 2024 at half past eleven"),
        ("二〇一五年五月二十二號", "二〇一五年七月二十號"),
        ("2月29号", "4月28号"),
        ("２月２９日", "４月２８日"),
        ("2月29日(星期四)", "4月28日(星期日)"),
        ("Thursday, 29 February 2024", "Sunday, 28 April 2024"),
        ("May 5th to 7th", "July 3rd to 5th"),
        ("5th to 7th of May", "3rd to 5th of July"),
        ("March 3-5", "May 1-3"),
        ("10月31日到11月2日", "12月29日到12月31日"),
        ("February 27 to March 2, 2023", "April 27 to April 30, 2023"),
    ],
)
def test_a_day_and_a_month_move_by_the_days(text, moved):
    assert other_date(text, MOVE) == moved


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("last Tuesday", "last Friday"),
        ("Tuesdays", "Fridays"),
        ("上星期三", "上星期六"),
        ("禮拜天", "禮拜三"),
        ("the 29th", "the 26th"),
        ("twenty ninth", "twenty sixth"),
        ("十五號", "十二號"),
        ("August", "October"),
        ("三月", "五月"),
        ("November 2019", "January 2020"),
        ("1985", "1986"),
        ("民國113年", "民國114年"),
        ("民國一百一十三年", "民國一百一十四年"),
        ("nineteen eighty five", "nineteen eighty six"),
        ("2019-2020", "2020-2021"),
        ("Mon-Fri", "Thu-Mon"),
        ("week 12", "week 14"),
        ("next summer", "next autumn"),
        ("first week of January", "second week of March"),
        ("ten to twelve days ago", "twelve to fourteen days ago"),
        ("第一天", "第二天"),
        ("三年前", "四年前"),
        ("昨天下午3點", "昨天下午4點"),
        ("禮拜一二", "禮拜四五"),
        ("星期六日", "星期二三"),
        ("拜三", "拜六"),
        ("週一、三、五", "週四、六、一"),
        ("每週一三五", "每週四六一"),
        ("星期一到五", "星期四到一"),
        ("週一至週五", "週四至週一"),
        ("星期三五月二日", "星期六六月三十日"),
        ("星期一、三點", "星期四、四點"),
        ("Mon, Wed and Fri", "Thu, Sat and Mon"),
        ("last Monday of May", "last Thursday of July"),
        ("May fifth Thursday", "July third Sunday"),
        ("week 50", "week 40"),
        ("50th week of 2020", "40th week of 2021"),
        ("第五十週", "第四十週"),
        ("the last quarter of 2020", "the last quarter of 2021"),
        ("2020年上半年", "2021年上半年"),
        ("summer 2019", "autumn 2019"),
        ("December 2019", "February 2020"),
        ("winter 2019", "spring 2020"),
        ("summer 2019-2020", "autumn 2019-2020"),
    ],
)
def test_what_is_known_in_part_moves_as_far_as_it_goes(text, moved):
    assert other_date(text, MOVE) == moved


@pytest.mark.parametrize(
    "text", ["Christmas", "three days before Christmas", "中秋節", "February 30", "31/04/2024", "農曆正月初五"]
)
def test_what_cannot_be_read_or_does_not_exist_has_no_surrogate(text):
    with pytest.raises(NoSurrogateError):
        other_date(text, MOVE)


@pytest.mark.parametrize(
    "text",
    [
        "1st quarter of 2020",
        "third quarter",
        "Q3 2020",
        "Q3",
        "2Q20",
        "quarter one 2020",
        "H2 2021",
        "1H 2020",
        "2nd half of 2020",
        "first Monday of May",
        "every second Tuesday",
        "two Mondays ago",
        "3 Fridays ago",
        "第一個星期一",
        "五月第二個星期日",
        "三個星期三",
        "初三",
        "年初三",
        "三四月",
        "一二月",
        "三、五月",
        "五六號",
        "兩三點",
        "3/5(三、五)",
        "the 3rd, 5th and 7th",
        "summer 2019 to winter 2020",
        "1/2 year ago",
    ],
)
def test_rare_forms_have_no_surrogate(text):
    with pytest.raises(NoSurrogateError):
        other_date(text, MOVE)


@pytest.mark.parametrize("days", [59, -59, 127, 290, -290])
def test_seasons_keep_their_order_and_stay_near_their_months(days):
    move = Move(days=days, hours=1, years=1, direction=1)
    seasons = {"spring": 4, "summer": 7, "autumn": 10, "winter": 13}

    def month_of(text: str) -> int:
        name, year = other_date(text, move).split()
        return 12 * int(year) + (seasons[name] if name in seasons else datetime.strptime(name, "%B").month)

    made = [month_of(f"{name} {year}") for year in (2019, 2020) for name in seasons]
    assert made == list(range(made[0], made[0] + 24, 3))
    for season, month in {
        "spring 2019": "April 2019",
        "summer 2019": "July 2019",
        "winter 2019": "January 2020",
    }.items():
        assert abs(month_of(season) - month_of(month)) <= 2


def test_a_second_day_without_its_month_is_not_moved_into_another_month():
    with pytest.raises(NoSurrogateError):  # "June 29th to 1st"
        other_date("May 1st to 3rd", MOVE)


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("half past ten", "half past eleven"),
        ("quarter to six", "quarter to seven"),
        ("ten past five", "ten past six"),
        ("10:30 pm", "11:30 pm"),
        ("11:30 p.m.", "12:30 a.m."),
        ("下午三點半", "下午四點半"),
        ("晚上十點零五分", "晚上十一點零五分"),
        ("一點", "兩點"),
        ("23:50", "00:50"),
        ("0730", "0830"),
        ("1230", "130"),
        ("430am", "530am"),
        ("fourteen hundred hours", "fifteen hundred hours"),
        ("twelve forty five", "one forty five"),
        ("eleven in the morning", "twelve in the afternoon"),
        ("five o'clock", "six o'clock"),
        ("Friday night", "Monday night"),
        ("Saturday at 3 pm", "Tuesday at 4 pm"),
        ("0000", "0100"),
        ("0015", "0115"),
        ("0000 hours", "0100 hours"),
        ("0015 hours", "0115 hours"),
        ("1200 hours", "1300 hours"),
        ("1200h", "1300h"),
        ("12:00 hours", "13:00 hours"),
        ("2300 hours", "0000 hours"),
        ("twelve hundred hours", "thirteen hundred hours"),
        ("nineteen hundred hours", "twenty hundred hours"),
        ("two thousand hours", "twenty-one hundred hours"),
        ("eighteen hundred thirty hours", "nineteen hundred thirty hours"),
        ("twenty one fifteen", "twenty two fifteen"),
        ("nineteen oh five", "twenty oh five"),
        ("twenty-three fifteen", "zero fifteen"),
        ("between 11 and 1 pm", "between 12 and 2 pm"),
        ("11 to 12:30 pm", "12 to 1:30 pm"),
        ("9 to 10 pm", "10 to 11 pm"),
        ("10 to 11 pm", "11 to 12 am"),
        ("from ten to eleven am", "from eleven to twelve pm"),
        ("9 am to 5 pm", "10 am to 6 pm"),
        ("between 11:00 and 13:00", "between 12:00 and 14:00"),
        ("9:30 to 17:00", "10:30 to 18:00"),
        ("晚上九點到十一點", "晚上十點到十二點"),
        ("早上九點到下午三點", "早上十點到下午四點"),
        ("five to six", "five to seven"),
        ("20 to 6", "20 to 7"),
        ("five minutes to six", "five minutes to seven"),
        ("seven minutes past six", "seven minutes past seven"),
    ],
)
def test_times_of_the_clock_move_by_whole_hours_and_stay_in_their_form(text, moved):
    assert other_date(text, MOVE, is_time=True) == moved


@pytest.mark.parametrize("text", ["25:70", "twelve noon", "99", "007", "zero eight fifteen", "oh eight hundred hours"])
def test_what_is_no_time_has_no_surrogate(text):
    with pytest.raises(NoSurrogateError):
        other_date(text, MOVE, is_time=True)


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("10 to 11 pm", "8 to 9 pm"),
        ("11 to 12:30 pm", "9 to 10:30 am"),
        ("晚上九點到十一點", "晚上七點到九點"),
        ("five minutes to six", "five minutes to four"),
        ("0015", "2215"),
        ("13:00", "11:00"),
    ],
)
def test_times_move_back_as_well(text, moved):
    assert other_date(text, Move(days=-59, hours=-2, years=-1, direction=-1), is_time=True) == moved


def test_each_recording_has_its_own_days_and_the_spans_in_it_stay():
    moves = [move_of(7, str(recording)) for recording in range(300)]
    assert len({move.days for move in moves}) > 100 and move_of(7, "1") == move_of(7, "1") != move_of(8, "1")
    for move in moves:
        assert (
            30 <= abs(move.days) <= 365 and move.days % 7 and move.days % 31 and move.months % 12 and move.seasons % 4
        )
        one, other = (date.fromisoformat(other_date(text, move)) for text in ("2024-02-28", "2024-03-01"))
        assert other - one == timedelta(days=2) and one - date(2024, 2, 28) == timedelta(days=move.days)

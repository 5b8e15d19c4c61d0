"""Made-up sentences of a clinic, with their entities, in English and Taiwanese Mandarin."""

import random
from collections.abc import Mapping

from pipeline.tagging.entities import Span

_FIRST = [
    "Anna",
    "Omar",
    "Lucy",
    "Henrik",
    "Mei",
    "Paulo",
    "Ingrid",
    "Tariq",
    "Nora",
    "Felix",
    "Ruth",
    "Diego",
    "Hana",
    "Victor",
    "Elsie",
    "Marcus",
]
_LAST = [
    "Okafor",
    "Lindqvist",
    "Moreau",
    "Tanaka",
    "Whitlock",
    "Ferreira",
    "Novak",
    "Haddad",
    "Prescott",
    "Dunne",
    "Kaplan",
    "Ashby",
]
_FAMILY = "張王李陳林黃吳劉蔡楊許鄭謝郭洪曾邱廖賴徐周葉蘇莊呂江何蕭羅高潘簡朱鍾彭游詹胡施沈余盧梁趙顏柯翁魏孫戴"
_GIVEN = [
    "怡君",
    "志明",
    "淑芬",
    "家豪",
    "美玲",
    "俊傑",
    "雅婷",
    "建宏",
    "麗華",
    "冠宇",
    "佩珊",
    "文雄",
    "詩涵",
    "承翰",
    "惠雯",
    "國榮",
    "子晴",
    "柏翰",
    "玉蘭",
    "宗翰",
]
_DIGITS = "零一二三四五六七八九"

_ENGLISH: Mapping[str, list[str]] = {
    "PROFESSION": ["bus driver", "school teacher", "plumber", "accountant", "farmer", "software engineer", "barista"],
    "DEPARTMENT": ["Stroke Unit", "Pain Team", "Burns Unit", "Radiology", "Department of Surgery", "Eye Clinic"],
    "HOSPITAL": ["Larkfield General", "St Bede Hospital", "Mount Vesper Clinic", "Riverside Infirmary"],
    "ORGANIZATION": ["Harbour Foods", "Dunmore High School", "Pelican Books", "Corvid Insurance", "Westin Hotel"],
    "STREET": ["Quarry Lane", "48 Mill Road", "Harcourt Street", "12 Station Avenue"],
    "CITY": ["Dunmore", "Perth", "Austin", "Phoenix", "Leeds", "Osaka"],
    "STATE": ["Ohio", "Texas", "Queensland", "New Mexico"],
    "COUNTRY": ["Portugal", "Kenya", "India", "Peru", "Norway"],
    "COUNTY": ["Cheshire", "Orange County", "County Kerry"],
    "LOCATION-OTHER": ["Lantern Bridge", "Central Park", "Lake Vera", "Mount Ossa"],
    "DATE": [
        "today",
        "yesterday",
        "tomorrow",
        "last week",
        "on Monday",
        "next month",
        "this Friday",
        "now",
        "March 3rd",
    ],
    "TIME": ["this morning", "last night", "half past six", "3 p.m.", "tonight", "around noon", "10:45"],
    "DURATION": ["two weeks", "six months", "a few days", "an hour", "ten years", "the whole summer"],
    "SET": ["every day", "twice a week", "once a month", "every other night", "three times a day"],
}
_CHINESE: Mapping[str, list[str]] = {
    "PROFESSION": ["水電工", "國小老師", "會計", "計程車司機", "護理師", "工程師", "廚師", "里長"],
    "DEPARTMENT": ["燒燙傷中心", "移植中心", "心臟內科", "疼痛小組", "復健科"],
    "HOSPITAL": ["青松醫院", "利恆醫院", "仁和診所", "長明紀念醫院"],
    "ORGANIZATION": ["宏遠電子", "大同國小", "統一超商", "永安保險"],
    "STREET": ["長青路三十號", "中山北路", "和平東路二段", "文化街"],
    "CITY": ["台南", "高雄", "台中", "新竹", "花蓮"],
    "DISTRICT": ["東區", "信義區", "板橋區", "三民區"],
    "COUNTY": ["嘉義縣", "屏東縣", "南投縣"],
    "COUNTRY": ["日本", "美國", "越南", "菲律賓"],
    "LOCATION-OTHER": ["陽明山", "日月潭", "淡水老街"],
    "DATE": ["昨天", "今天", "明天", "上星期", "下個月", "三月五號", "星期二", "去年", "現在"],
    "TIME": ["早上", "今天晚上", "下午三點", "十點半", "半夜", "中午"],
    "DURATION": ["兩個星期", "半年", "三天", "一個小時", "十年", "好幾個月"],
    "SET": ["每天", "一天三次", "每個星期", "每四個小時"],
}

_TEMPLATES = {
    "en": [
        "Good morning {PATIENT}, I'm Dr. {DOCTOR}, how have you been since {DATE}?",
        "My {ROLE} {FAMILYNAME} drove me here because {PERSONALNAME} had the car {DATE}.",
        "So {PATIENT}, you're {AGE} years old and you work as a {PROFESSION} at {ORGANIZATION}?",
        "She was moved from {HOSPITAL} to {ROOM} upstairs and the {DEPARTMENT} asked for her {TIME}.",
        "I live at {STREET} in {CITY}, post code {ZIP}, but I grew up in {STATE}.",
        "The pain started {DURATION} ago, it comes {SET} and it is worse {TIME}.",
        "We flew back from {COUNTRY} and I fainted near {LOCATION-OTHER} {DATE}.",
        "Your chart is {MEDICAL_RECORD_NUMBER} and the sample went to the lab as {ID_NUMBER}.",
        "Nurse {DOCTOR} will take your blood, please wait in {ROOM} for {DURATION}.",
        "I told {PERSONALNAME} that {FAMILYNAME} is {AGE} and still takes one tablet {SET}.",
        "He used to be a {PROFESSION} in {COUNTY} before the accident {DATE}.",
        "The plate of the van is {VEHICLE_ID} and the insurance card says {HEALTH_PLAN_NUMBER}.",
        "The serial number on the pump is {DEVICE_ID}, and my account is {ACCOUNT_NUMBER}.",
        "Does it hurt when you breathe in, or only when you lie down?",
        "Okay, take a deep breath for me. Good. And again. Any dizziness at all?",
        "I don't know, it just feels tight, like somebody is standing on my chest.",
        "We will keep the dose as it is and look at the blood pressure again.",
        "Right, so the scan was fine, the blood was fine, and you are still worried.",
    ],
    "zh": [
        "{PATIENT}你好我是{DOCTOR}醫師{DATE}有沒有比較好",
        "我{ROLE}{FAMILYNAME}說{DATE}{TIME}就開始發燒了",
        "{PATIENT}先生你今年{AGE}歲在{ORGANIZATION}當{PROFESSION}對嗎",
        "{ROOM}的病人從{HOSPITAL}轉到{DEPARTMENT}請{DOCTOR}醫師來看",
        "我住在{CITY}{DISTRICT}{STREET}我媽媽住{COUNTY}",
        "咳嗽{DURATION}了{SET}都會痛{TIME}比較嚴重",
        "他{DATE}從{COUNTRY}回來在{LOCATION-OTHER}昏倒的",
        "病歷號碼是{MEDICAL_RECORD_NUMBER}檢體編號{ID_NUMBER}麻煩你對一下",
        "{DOCTOR}學長請你{TIME}幫{PATIENT}抽血",
        "健保卡號{HEALTH_PLAN_NUMBER}車牌是{VEHICLE_ID}",
        "{PERSONALNAME}說這個藥{SET}吃{DURATION}就可以停了",
        "深呼吸再來一次會不會頭暈吃飯有沒有吐",
        "好那我們先觀察看看有問題再打電話給我們",
        "血壓一百三十六血糖一百一十八都還可以",
        "這個傷口不要碰水擦藥以後用紗布包起來",
        "blood pressure 有點高 CT report 出來再跟你說",
    ],
}
_ROLES = {"en": ["husband", "wife", "son", "sister"], "zh": ["先生", "太太", "女兒", "弟弟"]}


def sentence(lot: random.Random) -> tuple[str, list[Span]]:
    """Draw one to three sentences of one language; return the text and its entities, in order."""
    language = lot.choice(["en", "en", "zh"])
    text, spans = "", []
    for template in lot.sample(_TEMPLATES[language], lot.randint(1, 3)):
        text += " " if text and language == "en" else ""
        for piece in template.replace("}", "{").split("{"):
            filling = _filling(piece, language, lot)
            if filling is not None and piece != "ROLE":
                spans.append(Span(piece, len(text), len(text) + len(filling)))
            text += piece if filling is None else filling
    return text, spans


def _filling(type_: str, language: str, lot: random.Random) -> str | None:
    """Draw what fills a slot; None where the piece of a template is no slot."""
    listed = (_ENGLISH if language == "en" else _CHINESE).get(type_)
    if listed:
        return lot.choice(listed)
    if type_ == "ROLE":
        return lot.choice(_ROLES[language])
    if type_ in ("PATIENT", "DOCTOR", "FAMILYNAME", "PERSONALNAME"):
        if language == "zh":
            return lot.choice([lot.choice(_FAMILY), lot.choice(_GIVEN), lot.choice(_FAMILY) + lot.choice(_GIVEN)])
        return lot.choice([lot.choice(_FIRST), lot.choice(_LAST), f"{lot.choice(_FIRST)} {lot.choice(_LAST)}"])
    if type_ == "AGE":
        age = lot.randint(11, 99)
        spoken = f"{_DIGITS[age // 10]}十{_DIGITS[age % 10]}".replace("零", "")
        return spoken if language == "zh" and lot.random() < 0.5 else str(age)
    if type_ == "ROOM":
        return f"room {lot.randint(1, 60)}" if language == "en" else f"{_DIGITS[lot.randint(1, 9)]}床"
    if type_ == "ZIP":
        return str(lot.randint(1000, 99999))
    if type_ in ("MEDICAL_RECORD_NUMBER", "HEALTH_PLAN_NUMBER", "ACCOUNT_NUMBER"):
        digits = [lot.randrange(10) for _ in range(lot.randint(6, 10))]
        spoken = language == "zh" and lot.random() < 0.5
        return "".join(_DIGITS[digit] if spoken else str(digit) for digit in digits)
    if type_ in ("ID_NUMBER", "VEHICLE_ID", "DEVICE_ID"):
        letters = "".join(lot.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(lot.randint(1, 3)))
        return f"{letters}{lot.choice(['', '-', ' '])}{lot.randint(1000, 999999)}"
    return None

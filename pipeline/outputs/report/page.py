"""The report as one HTML file that needs nothing but itself."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup


def render(content: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        content: What the template writes out.
        data: What the script shows of each recording. It stands in the page as JSON, in which no tag can end.
    """
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    environment.filters |= {"percent": _percent, "clock": _clock}
    html, style, script = (_part(f"page.{suffix}") for suffix in ("html", "css", "js"))
    inlined = {"style": Markup(style), "script": Markup(script), "script_hash": _hash(script)}
    return environment.from_string(html).render(**content, **inlined, data=data)


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """Return what the content security policy allows to run: this script and no other."""
    return f"sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def _clock(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"

"""The report as one self-contained HTML file."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

_SCRIPTS = ("elements", "review", "list", "entities", "editor", "page")  # as one script, in this order


def render(content: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """Render the page.

    Args:
        content: The template's variables.
        data: What the script shows of each recording; in the page as JSON that cannot close its script element.
    """
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    environment.filters |= {"percent": _percent, "clock": _clock}
    html, style = _part("page.html"), _part("page.css")
    script = "\n".join(_part(f"{name}.js") for name in _SCRIPTS)
    inlined = {"style": Markup(style), "script": Markup(script), "script_hash": _hash(script)}
    return environment.from_string(html).render(**content, **inlined, data=data)


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """Return the hash by which the content security policy allows this script and no other."""
    return f"sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def _clock(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"

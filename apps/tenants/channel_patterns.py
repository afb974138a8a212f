"""Channel names as people list them in a setting: separated by spaces or commas, `*` for any characters. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

from django.utils.translation import gettext as _

MAX_LENGTH, MAX_PATTERNS = 2_000, 50
_SEPARATORS = re.compile(r"[\s,]+")
_PATTERN = re.compile(r"[-a-zA-Z0-9_=@.;*]{1,164}\Z")
_MAX_STARS = 3


@lru_cache(maxsize=1_024)
def _matcher(text: str) -> re.Pattern[str] | None:
    patterns = [each for each in _SEPARATORS.split(text) if each]
    if not patterns:
        return None
    return re.compile("|".join(".*".join(map(re.escape, each.split("*"))) for each in patterns))


def matches(text: str, channel: str) -> bool:
    """Whether one of the patterns stands for the whole name."""
    found = _matcher(text)
    return found is not None and found.fullmatch(channel) is not None


def problem_with_patterns(text: object) -> str:
    """Empty when it may be stored."""
    if not isinstance(text, str) or len(text) > MAX_LENGTH:
        return _("Use a text of at most %(longest)d characters.") % {"longest": MAX_LENGTH}
    patterns = [each for each in _SEPARATORS.split(text) if each]
    if len(patterns) > MAX_PATTERNS:
        return _("List at most %(most)d channels or patterns.") % {"most": MAX_PATTERNS}
    for each in patterns:
        if not _PATTERN.match(each) or each.count("*") > _MAX_STARS:
            return _("“%(pattern)s” is no channel name, nor one with up to three “*”.") % {"pattern": each[:40]}
    return ""

"""What is redacted: patterns, found in a value's text and replaced.

The one invariant: a value in which nothing is found stays as it is, byte for byte.
"""

import re
from typing import Pattern

from larder_sdk import Settings, invalid

PATTERNS_MAX = 64
"""Most patterns. Each goes over each value once, within the deadline of a call."""

KINDS = {
    # What is before the `@` is taken as the web's forms take it; the domain has a dot, or it is no address of the net.
    "email": r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z][\w-]{1,62}",
    # The header's name stays: that there was one may matter, which one it was may not.
    "authorization": r"(?i:(?<=bearer )|(?<=basic ))[\w.~+/-]{8,}=*",
    # As in a URL: `https://user:password@host`. The user's name goes with the password.
    "url-password": r"(?<=://)[^\s/@:]{1,256}:[^\s/@]{1,256}(?=@)",
    # The first letters say whose they are: AWS, GitHub, Slack.
    "access-key": r"\b(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[0-9A-Za-z]{36,255}|xox[abposr]-[0-9A-Za-z-]{10,255})\b",
}
"""What is known by name."""


class Redaction:
    """Patterns and what replaces what they find."""

    def __init__(self, patterns: list[Pattern[str]], replacement: str, takes_binary: bool) -> None:
        self._patterns = patterns
        self._replacement = replacement
        self._takes_binary = takes_binary

    @classmethod
    def configure(cls, settings: Settings) -> "Redaction":
        """Reads the settings; `invalid`, naming the setting, where one makes no sense or nothing would be redacted."""
        kinds = [kind.strip() for kind in (settings.take("kinds") or "").split(",") if kind.strip()]
        lines = (settings.take("patterns") or "").splitlines()
        replacement = settings.take("replacement")
        takes_binary = settings.one_of("binary", {"pass": True, "refuse": False})
        settings.finish()
        unknown = [kind for kind in kinds if kind not in KINDS]
        if unknown:
            raise invalid(f"the setting `kinds` has `{unknown[0]}`; it is some of: {', '.join(KINDS)}")
        numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
        patterns = [re.compile(KINDS[kind]) for kind in kinds] + [_compiled(*line) for line in numbered]
        if not patterns:
            raise invalid("nothing would be redacted: name some `kinds`, or write `patterns`, one a line")
        if len(patterns) > PATTERNS_MAX:
            raise invalid(f"{len(patterns)} patterns, more than {PATTERNS_MAX}")
        return cls(patterns, "[redacted]" if replacement is None else replacement, takes_binary is not False)

    def redact(self, value: bytes, key: str) -> bytes:
        """The value to store; the very same object where nothing was found."""
        try:
            text = value.decode()
        except UnicodeDecodeError:
            if self._takes_binary:
                return value
            # Without its cause, which shows the value.
            raise invalid(f"the value of `{key}` is no text, so that nothing says what is in it") from None
        found = 0
        for pattern in self._patterns:
            # A function, so that a backslash in the replacement is a backslash.
            text, count = pattern.subn(lambda _: self._replacement, text)
            found += count
        return text.encode() if found else value


def _compiled(number: int, line: str) -> Pattern[str]:
    try:
        pattern = re.compile(line)
    except (re.error, RecursionError, OverflowError) as error:
        raise invalid(f"the setting `patterns`, line {number}: {error}") from None
    if pattern.search("") is not None:
        raise invalid(f"the setting `patterns`, line {number}: it finds the empty text, which is everywhere")
    return pattern

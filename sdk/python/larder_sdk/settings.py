"""The plugin's table of settings, taken apart by name; what is left over is refused."""

from typing import Callable, Iterable, Optional, TypeVar

from larder_sdk.errors import invalid

T = TypeVar("T")


class Settings:
    """The plugin's settings from the configuration, as text.

    Take each known setting, then call `finish`: the contract wants an unknown setting refused by name, never ignored.
    `repr` and errors show names only, since a value may be a secret.
    """

    def __init__(self, entries: Iterable[tuple[str, str]]) -> None:
        self._entries = dict(entries)
        self._known: list[str] = []

    def take(self, name: str) -> Optional[str]:
        """A setting's text, where it is given."""
        self._known.append(name)
        return self._entries.pop(name, None)

    def require(self, name: str) -> str:
        """A setting's text; `invalid`, naming the setting, where it is not given."""
        text = self.take(name)
        if text is None:
            raise invalid(f"the setting `{name}` is missing")
        return text

    def parse(self, name: str, read: Callable[[str], T], what: str) -> Optional[T]:
        """A setting as what `read` makes of it: `settings.parse("limit", int, "a whole number")`.

        `invalid`, naming the setting but not its text, where `read` raises `ValueError`.
        """
        text = self.take(name)
        if text is None:
            return None
        try:
            return read(text)
        except ValueError:
            pass
        # Outside of the handler: the cause would show the text.
        raise invalid(f"the setting `{name}` is {what}")

    def one_of(self, name: str, words: dict[str, T]) -> Optional[T]:
        """A setting that is one of a few words: answers what the word means."""
        text = self.take(name)
        if text is None:
            return None
        if text not in words:
            raise invalid(f"the setting `{name}` is one of: {', '.join(words)}")
        return words[text]

    def finish(self) -> None:
        """Refuses what was not taken, naming it and what the plugin knows."""
        if self._entries:
            unknown = "`, `".join(self._entries)
            known = ", ".join(self._known) or "none"
            raise invalid(f"unknown setting `{unknown}` (known: {known})")

    def __repr__(self) -> str:
        return f"Settings({sorted(self._entries)})"

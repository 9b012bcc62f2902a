"""The one instance of a plugin in its component: an object of the author's class, made by `configure`."""

from typing import Any, Callable, Generic, Optional, Protocol, Type, TypeVar

from larder_sdk.errors import other
from larder_sdk.settings import Settings


class Configurable(Protocol):
    """What every base class has."""

    @classmethod
    def configure(cls, settings: Settings) -> Any:
        """Makes the instance."""

    def health(self) -> None:
        """Is the plugin usable?"""


P = TypeVar("P", bound=Configurable)


class Cell(Generic[P]):
    """Where the instance is, once there is one."""

    def __init__(self, plugin: Type[P]) -> None:
        self._plugin = plugin
        self._instance: Optional[P] = None

    def configure(self, settings: list[tuple[str, str]]) -> None:
        self._instance = self._plugin.configure(Settings(settings))

    def get(self) -> P:
        if self._instance is None:
            raise other("the plugin was called before it was configured")
        return self._instance


def lifecycle(cell: Cell[Any], on_configured: Callable[[], None] = lambda: None) -> type:
    """The exported class of the interface `lifecycle`."""

    class Lifecycle:
        def configure(self, settings: list[tuple[str, str]]) -> None:
            cell.configure(settings)
            on_configured()

        def health(self) -> None:
            cell.get().health()

    return Lifecycle

"""What every optimiser can do."""

from __future__ import annotations

from typing import Any, Protocol


class Optimiser(Protocol):
    """A rule that moves parameters against their gradients; it holds settings, never state."""

    def init(self, params: Any) -> Any:
        """The state before the first step."""
        ...

    def step(self, params: Any, grads: Any, state: Any) -> tuple[Any, Any]:
        """New parameters and new state; changes nothing that it is given."""
        ...

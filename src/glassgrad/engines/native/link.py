"""Object files become callable addresses in this process (ORC, JITLink)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from glassgrad.engines.native.forking import LINKING
from glassgrad.engines.native.target import Target

_SESSIONS: dict[Target, Any] = {}
_NUMBERS = count(1)


class Linked:
    """Code in memory: `address[name]` of each exported symbol; the code lives as long as this."""

    def __init__(
        self,
        objects: bytes | Sequence[bytes],
        target: Target,
        exports: Sequence[str],
        imports: Mapping[str, int],
    ) -> None:
        import llvmlite.binding as llvm

        with LINKING:
            session = _SESSIONS.get(target)
            if session is None:
                session = llvm.create_lljit_compiler(target.machine(), use_jit_link=True)
                _SESSIONS[target] = session
            builder = llvm.JITLibraryBuilder()
            for obj in [objects] if isinstance(objects, bytes) else objects:
                builder = builder.add_object_img(obj)
            for name, address in imports.items():
                builder = builder.import_symbol(name, address)
            for name in exports:
                builder = builder.export_symbol(name)
            self._tracker = builder.link(session, f"glassgrad{next(_NUMBERS)}")
            self.address = {name: self._tracker[name] for name in exports}

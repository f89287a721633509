"""Object files become callable addresses in this process: by ourselves, or by LLVM's linker."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from glassgrad.engines.native.elf import Loaded, UnknownFormError
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
        every = [objects] if isinstance(objects, bytes) else objects
        try:
            if os.name != "posix":
                raise UnknownFormError("another system's objects")
            self._code: Any = Loaded(every, exports, imports)
            self.address = self._code.address
        except UnknownFormError:
            self._code = _by_llvm(every, target, exports, imports)
            self.address = {name: self._code[name] for name in exports}

    def keep(self) -> None:
        """Lets the code stay to the end of the process: threads of the crew may be inside.

        What a module holds goes before them, so nothing in Python may own it.
        """
        python = getattr(ctypes, "pythonapi", None)
        if python is not None:
            python.Py_IncRef(ctypes.py_object(self))


def _by_llvm(
    objects: Sequence[bytes], target: Target, exports: Sequence[str], imports: Mapping[str, int]
) -> Any:
    """LLVM's tracker of the code (ORC, JITLink); what it cannot do is its error."""
    import llvmlite.binding as llvm

    with LINKING:
        session = _SESSIONS.get(target)
        if session is None:
            session = llvm.create_lljit_compiler(target.machine(), use_jit_link=True)
            _SESSIONS[target] = session
        builder = llvm.JITLibraryBuilder()
        for obj in objects:
            builder = builder.add_object_img(obj)
        for name, address in imports.items():
            builder = builder.import_symbol(name, address)
        for name in exports:
            builder = builder.export_symbol(name)
        return builder.link(session, f"glassgrad{next(_NUMBERS)}")

"""The machine that is compiled for: instruction set, vector width, registers, and the assembler.

A `Target` is plain data, so tests may restrict it (AVX2 or baseline code on an AVX-512 machine) or
cross-compile (NEON). llvmlite is imported only when something is assembled.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from glassgrad.engines.native.forking import ASSEMBLING, survive_forks

if TYPE_CHECKING:
    from glassgrad.engines.native.emit import Type

_AVX512_NEEDS = ("avx512f", "avx512bw", "avx512dq", "avx512vl")


@dataclass(frozen=True)
class Target:
    """What the generated code may use; `features` is LLVM's string (``+avx2,-avx512f,…``)."""

    triple: str
    cpu: str
    features: str
    vector_bytes: int
    registers: int
    fma: bool

    @staticmethod
    def host() -> Target:
        """The machine that this process runs on."""
        return _host()

    @staticmethod
    def baseline() -> Target:
        """Any x86-64: SSE2, no FMA."""
        return Target("x86_64-unknown-linux-gnu", "x86-64", "", 16, 16, False)

    @staticmethod
    def neon() -> Target:
        """Any 64-bit ARM (for cross-compiling)."""
        return Target("aarch64-unknown-linux-gnu", "generic", "+neon", 16, 32, True)

    def lanes(self, element: Type) -> int:
        """How many elements of this type fill one vector register."""
        return self.vector_bytes // element.itemsize

    def restricted(self, level: str) -> Target:
        """The same machine used only up to "avx2" or "sse2", to test narrower code on it."""
        if level == "avx2":
            return replace(
                self, cpu="haswell", features="", vector_bytes=32, registers=16, fma=True
            )
        if level == "sse2":
            return replace(
                self, cpu="x86-64", features="", vector_bytes=16, registers=16, fma=False
            )
        raise ValueError(f"unknown level {level!r}: expected 'avx2' or 'sse2'")

    def machine(self, level: int = 2) -> Any:
        """A fresh TargetMachine: one each compile, since sharing one across threads crashes."""
        return (
            _assembler()
            .Target.from_triple(self.triple)
            .create_target_machine(
                cpu=self.cpu,
                features=self.features,
                opt=level,
                reloc="pic",
                codemodel="jitdefault" if self.is_host_family else "default",
                jit=self.is_host_family,
            )
        )

    @property
    def is_host_family(self) -> bool:
        """True where code for this target can run in this process (the CPU permitting)."""
        return self.triple.split("-")[0] == _host().triple.split("-")[0]


FAMILIES = ("x86_64", "amd64", "aarch64", "arm64")


@cache
def absence() -> str | None:
    """Why there is no native engine on this machine; None where there is one."""
    try:
        triple = _llvm().get_process_triple()
    except (ImportError, OSError) as error:
        return f"llvmlite, which assembles machine code, cannot be imported ({error})"
    if triple.startswith(FAMILIES):
        return None
    return f"machine code is made for x86-64 and 64-bit ARM, and this is {triple}"


@cache
def _llvm() -> Any:
    """LLVM as far as it tells of itself and of this machine, which needs no assembler."""
    import llvmlite.binding as llvm

    survive_forks()
    return llvm


@cache
def _assembler() -> Any:
    llvm = _llvm()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm


@cache
def _host() -> Target:
    llvm = _llvm()
    triple = llvm.get_process_triple()
    found = dict(llvm.get_host_cpu_features())
    features = ",".join(("+" if on else "-") + name for name, on in sorted(found.items()))
    cpu = llvm.get_host_cpu_name()
    if triple.startswith(("aarch64", "arm64")):
        return Target(triple, cpu, features, 16, 32, True)
    if all(found.get(name) for name in _AVX512_NEEDS):
        return Target(triple, cpu, features, 64, 32, True)
    if found.get("avx2") and found.get("fma"):
        return Target(triple, cpu, features, 32, 16, True)
    return Target(triple, cpu, features, 16, 16, bool(found.get("fma")))


def assemble(text: str, target: Target, verify: bool = False, level: int = 2) -> bytes:
    """Machine code (an object file) of a module's text; ValueError shows LLVM's complaint.

    At `level` 0 LLVM translates as fast as it can, at 2 it makes good code.
    """
    llvm = _assembler()
    context = llvm.create_context()
    try:
        module = llvm.parse_assembly(text, context=context)
    except RuntimeError as error:
        raise ValueError(f"the generated code does not parse: {error}") from error
    if verify:
        module.verify()
    machine = target.machine(level)
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    with ASSEMBLING:
        return _object(machine, module)


def _object(machine: Any, module: Any) -> bytes:
    """The object of a module; other threads may make others meanwhile.

    llvmlite lets one thread at a time into LLVM. Modules of different contexts need no such care,
    so the long one of the calls is made without its lock, where this llvmlite shows it.
    """
    ffi = _assembler().ffi
    emit = getattr(ffi.lib.LLVMPY_TargetMachineEmitToMemory, "_cfn", None)
    if emit is None:
        return bytes(machine.emit_object(module))
    with ffi.OutputString() as trouble:
        buffer = emit(machine, module, 1, trouble)
        if not buffer:
            raise RuntimeError(str(trouble))
    try:
        start, size = ffi.lib.LLVMPY_GetBufferStart(buffer), ffi.lib.LLVMPY_GetBufferSize(buffer)
        return ctypes.string_at(start, size)
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


def llvm_version() -> str:
    """LLVM's version and llvmlite's, part of every cache key."""
    llvm = _llvm()
    import llvmlite

    return f"{'.'.join(map(str, llvm.llvm_version_info))} {llvmlite.__version__}"

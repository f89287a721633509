"""The exceptions of glassgrad: each is a subclass of the one that NumPy would raise.

A message says what was wrong, names the op, the shapes and the line of the user's code, and says
what to do.
"""

from __future__ import annotations

from numpy.exceptions import AxisError
from numpy.linalg import LinAlgError


class GlassgradError(Exception):
    """The family of all errors that glassgrad raises on purpose."""


class ShapeError(GlassgradError, ValueError):
    """Shapes that do not fit an op."""


class AxisRangeError(ShapeError, AxisError):
    """An axis that an array does not have."""


class DTypeError(GlassgradError, TypeError):
    """A dtype that an op does not take."""


class MatrixError(GlassgradError, LinAlgError):
    """Matrices that an op of linear algebra does not take: of a wrong shape, or singular."""


class IndexRangeError(GlassgradError, IndexError):
    """An index outside its axis."""


class NoRuleError(GlassgradError, TypeError):
    """A NumPy function or a use of an array that has no rule yet."""


class UnboundError(GlassgradError, ValueError):
    """A value was asked of an expression whose variables have none."""


class GraphError(GlassgradError, ValueError):
    """A graph that breaks a law of graphs, or a file that does not hold one."""


class CalculusError(GlassgradError, TypeError):
    """A derivative was asked that is not defined, such as the gradient of a vector."""


class IntegerRangeError(GlassgradError, OverflowError):
    """A Python integer that the dtype it takes among arrays does not hold."""


class NegativePowerError(GlassgradError, ValueError):
    """An integer to a negative integer power, which is no integer."""


class DivisionError(GlassgradError, FloatingPointError):
    """An integer division that went wrong, under ``np.errstate(divide="raise")`` or over."""


class PlanTooLargeError(GlassgradError, MemoryError):
    """A program that needs more memory than there is, refused before it runs."""


class EngineError(GlassgradError, ArithmeticError):
    """Two engines gave different numbers: a fault of glassgrad, found by gg.jit(check=True)."""

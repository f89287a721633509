"""A trained network with all it takes to go from a table to predictions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glassgrad.data.bad_input import BadInput, listing
from glassgrad.data.csv_file import positional_names, read_csv
from glassgrad.data.preparation import Preparation
from glassgrad.data.table import Table
from glassgrad.data.target import ClassTarget, NumberTarget, refuse_missing
from glassgrad.nn import MLP, softmax
from glassgrad.train.label_predictor import in_pieces
from glassgrad.train.report import TrainingReport
from glassgrad.train.scores import class_scores, number_scores

CHUNK = 8192


@dataclass(frozen=True, eq=False)
class TablePredictor:
    """Predicts one column of a table from others; all of it is saved in a model folder.

    `columns` are the names of the training file in its order; `header` says whether they were
    written there or made from positions.
    """

    network: MLP
    preparation: Preparation
    target: ClassTarget | NumberTarget
    columns: tuple[str, ...]
    header: bool
    report: TrainingReport

    def read(self, path: str | Path, *, answers: bool = False) -> Table:
        """Read a CSV file with the columns the model was trained on, the target or not.

        With a header, columns are found by name and may stand in any order; without one by
        position. With `answers` the labels of the target are read too. Raises BadInput that names
        missing columns.
        """
        table = self._named(read_csv(path, header=self.header))
        if answers and isinstance(self.target, ClassTarget) and self.target.name in table.names:
            return self.target.without_dots(table, table.names.index(self.target.name))
        return table

    def _named(self, table: Table) -> Table:
        """The table with the names of the training file."""
        if self.header:
            if not set(table.names) & set(self.preparation.names):
                raise BadInput(
                    f"{table.path}:1: none of the names in the first row is a column of the "
                    f"model ({listing(self.preparation.names, 6)}). The file needs the header of "
                    "the training file."
                )
            return table
        width = len(self.columns)
        if len(table.names) == width:
            return table.renamed(self.columns)
        if len(table.names) == width - 1:
            return table.renamed([c for c in self.columns if c != self.target.name])
        raise BadInput(
            f"{table.path}: {len(table.names)} columns; the model was trained on a file without "
            f"a header and needs {width} columns, or {width - 1} without the target "
            f"({self.target.name}), in the order of {', '.join(positional_names(width)[:3])} ..."
        )

    def outputs(self, table: Table) -> np.ndarray:
        """What the network gives for every row, (rows, width of the target)."""
        inputs = self.preparation.encode(table)
        return np.concatenate(in_pieces(lambda s: self.network(inputs[s]), len(inputs), CHUNK))

    def predict(self, table: Table) -> np.ndarray:
        """Numbers in the target's units, or labels."""
        outputs = self.outputs(table)
        if isinstance(self.target, NumberTarget):
            return self.target.restore(outputs)
        return np.array(self.target.classes)[outputs.argmax(axis=1)]

    def probabilities(self, table: Table) -> np.ndarray:
        """The probability of each class for every row; classifications only."""
        if isinstance(self.target, NumberTarget):
            raise BadInput("a regression has no probabilities; use predict.")
        return np.asarray(softmax(self.outputs(table).astype(float)))

    def evaluate(self, table: Table) -> dict[str, float]:
        """The scores of the predictions against the table's own target column."""
        if self.target.name not in table.names:
            raise BadInput(
                f"{table.path}: the target column {self.target.name!r} is not in this file, so "
                "there is nothing to compare with. Use 'glassgrad predict' instead."
            )
        column = table.names.index(self.target.name)
        refuse_missing(table, column)
        truth = self.target.encode(table, column)
        if isinstance(self.target, NumberTarget):
            return number_scores(self.predict(table), truth)
        return class_scores(self.outputs(table), truth)

    def validate(self) -> None:
        """Refuse parts that do not fit together."""
        sizes = self.network.sizes
        if sizes[0] != self.preparation.width:
            raise BadInput(
                f"the columns make {self.preparation.width} inputs but the network takes {sizes[0]}"
            )
        if sizes[-1] != self.target.width:
            raise BadInput(
                f"the target needs {self.target.width} outputs but the network has {sizes[-1]}"
            )
        unknown = {*self.preparation.names, self.target.name} - set(self.columns)
        if unknown or len(set(self.columns)) != len(self.columns):
            raise BadInput(f"the columns do not agree ({listing(sorted(unknown)) or 'twice'})")

"""What all kinds of `glassgrad train` share: options, the model folder, and the last words."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassgrad.cli.output import check_output, write_whole
from glassgrad.cli.parser import count, natural, positive

if TYPE_CHECKING:
    from glassgrad.train.job import Outcome

ENDINGS = {
    "epochs": "all {last} epochs done; kept the weights of epoch {best}",
    "early": "stopped after epoch {last}; kept the weights of epoch {best}, the best",
    "interrupted": "interrupted; kept the best so far, epoch {best}",
    "diverged": "the loss left the finite numbers in epoch {last}; kept epoch {best}. Lower --lr",
}


def add_out(p: argparse.ArgumentParser) -> None:
    """The option that names the model folder."""
    p.add_argument(
        "--out", metavar="FOLDER", type=Path, help="model folder (default: DATA-model, here)"
    )


def add_training(
    p: argparse.ArgumentParser, *, lr: float, batch: object, epochs: object, patience: object
) -> Any:
    """The options of the training; the words and numbers given are the defaults that help shows.

    What is left out is None, and the job's own default holds.
    """
    learn = p.add_argument_group("the training")
    learn.add_argument(
        "--epochs", type=count, metavar="N", help=f"passes over the data, at most ({epochs})"
    )
    learn.add_argument(
        "--lr", type=positive, default=lr, metavar="X", help=f"learning rate ({lr:g})"
    )
    learn.add_argument("--batch", type=count, metavar="N", help=f"examples a step ({batch})")
    learn.add_argument(
        "--patience",
        type=count,
        metavar="N",
        help=f"stop after N epochs without a better model ({patience})",
    )
    learn.add_argument(
        "--keep-best",
        default="loss",
        metavar="METRIC",
        help="the better model is that with the better METRIC on the validation part: loss, or "
        "the figure that is shown beside it, such as accuracy, RMSE or F1 (loss)",
    )
    learn.add_argument(
        "--seed", type=natural, default=0, metavar="N", help="of split and weights (0)"
    )
    learn.add_argument(
        "--engine",
        choices=("native", "reference"),
        default="native",
        help="native: machine code (default); reference: NumPy, slow",
    )
    kept = p.add_argument_group("what is kept")
    kept.add_argument("--plot", metavar="FILE.svg", type=Path, help="draw the curves of the losses")
    kept.add_argument(
        "--checkpoint", metavar="FOLDER", type=Path, help="write the run there after every epoch"
    )
    kept.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint; same data and options"
    )
    return learn


def common_options(given: argparse.Namespace) -> dict[str, Any]:
    """The options that every job has; what cannot work is refused before any training."""
    from dataclasses import fields

    from glassgrad.data.bad_input import BadInput
    from glassgrad.train.job import JobOptions
    from glassgrad.train.run import check_checkpoint_target

    if given.resume and given.checkpoint is None:
        raise BadInput("--resume needs --checkpoint FOLDER, the folder to go on from.")
    if given.checkpoint is not None:
        if given.out is not None and given.checkpoint.absolute() == given.out.absolute():
            raise BadInput("--checkpoint and --out are two folders; both name the same one.")
        check_checkpoint_target(given.checkpoint)
    if given.plot is not None:
        check_output(given.plot)
    return chosen(given, *(f.name for f in fields(JobOptions)))


def chosen(given: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The options of these names that were given, for a job that has defaults of its own."""
    values = {name: getattr(given, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def model_folder(given: argparse.Namespace, data: str) -> Path:
    """Where the model goes; refused before the training, not after it."""
    from glassgrad.train.folder import check_target

    out = given.out or Path(default_folder(data))
    check_target(out)
    return out


def default_folder(data: str) -> str:
    """The model folder for a data file: its name without endings, in the current folder.

    >>> default_folder("data/housing.csv.gz")
    'housing-model'
    """
    return Path(data).resolve().name.removesuffix(".gz").rsplit(".", 1)[0] + "-model"


def finish(
    result: Outcome, given: argparse.Namespace, out: Path, data: str, rows: str = "rows"
) -> int:
    """Save the model, say how good it is and what to do next; 130 after Ctrl-C."""
    from glassgrad.train.store import save

    fit = result.fit
    if not fit.best:
        print("interrupted before the first epoch was done; nothing was saved.", file=sys.stderr)
        return 130
    print(ENDINGS[fit.stopped].format(last=len(fit.history), best=fit.best))
    save(result.predictor, out)
    if given.plot is not None:
        write_whole(given.plot, fit.history.svg())
    print(f"test {describe_scores(result.scores)} on {result.report.rows_test:,} {rows}")
    print(f"({describe_baseline(result)})")
    print(f"model saved in {out}; next: glassgrad predict {out} {data}")
    return 130 if fit.stopped == "interrupted" else 0


def describe_scores(scores: dict[str, float]) -> str:
    """Scores in one line: RMSE 50,123  MAE 33,456  R2 0.81."""
    from glassgrad.train.progress import score

    return "  ".join(score(name, value) for name, value in scores.items())


def describe_baseline(result: Outcome) -> str:
    """What an answer that needs no learning would score."""
    from glassgrad.train.progress import score

    return f"{result.guess} would give {score(result.report.metric, result.baseline)}"

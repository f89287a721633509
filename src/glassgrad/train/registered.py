"""The classes that a model file may name; nothing else is ever built from one."""

from __future__ import annotations

from glassgrad.data.column import CategoryColumn, NumericColumn
from glassgrad.data.preparation import Preparation
from glassgrad.data.target import ClassTarget, NumberTarget
from glassgrad.nn import (
    MLP,
    Activation,
    BatchNorm,
    Dropout,
    Embedding,
    Gated,
    GRUCell,
    LayerNorm,
    Linear,
    PReLU,
    Recurrent,
    RNNCell,
    Sequential,
    Swish,
)
from glassgrad.text.bag_classifier import BagClassifier
from glassgrad.text.vocabulary import Vocabulary
from glassgrad.text.window_tagger import WindowTagger
from glassgrad.train.image_predictor import ImagePredictor
from glassgrad.train.predictor import TablePredictor
from glassgrad.train.report import TrainingReport
from glassgrad.train.tag_predictor import TagPredictor
from glassgrad.train.text_predictor import TextPredictor

KINDS: dict[str, type] = {
    c.__name__: c
    for c in (
        Activation,
        BagClassifier,
        BatchNorm,
        CategoryColumn,
        ClassTarget,
        Dropout,
        Embedding,
        GRUCell,
        Gated,
        ImagePredictor,
        LayerNorm,
        Linear,
        MLP,
        NumberTarget,
        NumericColumn,
        PReLU,
        Preparation,
        RNNCell,
        Recurrent,
        Sequential,
        Swish,
        TablePredictor,
        TagPredictor,
        TextPredictor,
        TrainingReport,
        Vocabulary,
        WindowTagger,
    )
}

"""The kinds of predictors that the command line trains, applies and scores."""

from __future__ import annotations

from typing import TypeAlias

from glassgrad.train.image_predictor import ImagePredictor
from glassgrad.train.predictor import TablePredictor
from glassgrad.train.tag_predictor import TagPredictor
from glassgrad.train.text_predictor import TextPredictor

Predictor: TypeAlias = TablePredictor | TextPredictor | TagPredictor | ImagePredictor

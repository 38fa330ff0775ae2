"""Recipes as code and files for others, without any dependency on this project."""

from schedules.export.files import csv_file, json_file
from schedules.export.fit import Fit, NotPossible
from schedules.export.lightning import lightning_snippet
from schedules.export.optax import optax_snippet
from schedules.export.targets import MEDIA_TYPES, TARGETS, Target, export, fit, markdown, samples, table
from schedules.export.torch import torch_snippet
from schedules.export.transformers import transformers_snippet

__all__ = [
    "MEDIA_TYPES",
    "TARGETS",
    "Fit",
    "NotPossible",
    "Target",
    "csv_file",
    "export",
    "fit",
    "json_file",
    "lightning_snippet",
    "markdown",
    "optax_snippet",
    "samples",
    "table",
    "torch_snippet",
    "transformers_snippet",
]

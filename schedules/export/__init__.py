"""Recipes as code and files for others, without any dependency on this project."""

from schedules.export.torch import torch_snippet

__all__ = ["torch_snippet"]

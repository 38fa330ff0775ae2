"""Schedules and optimizers in torch; the only part of this package that imports it."""

from schedules.torch.attach import RateChanged, RecipeLR, attach
from schedules.torch.muon import MuonWithAdamW, hidden_matrices
from schedules.torch.optimizers import build_optimizer
from schedules.torch.scheduler import EtudeLR

__all__ = ["EtudeLR", "MuonWithAdamW", "RateChanged", "RecipeLR", "attach", "build_optimizer", "hidden_matrices"]

"""What is drawn next: the samplers of one study, in memory, and what they are told.

Every ask gets a sampler of its own, seeded from the study's seed and the trial's number, and sees the trials in
order of number. So what is drawn depends on what is known, and not on what has been drawn since the process started:
a study rebuilt from its trials goes on as if it had never stopped.

``tpe`` is computed as Optuna does it, and ``random`` draws each parameter by itself. The others propose what a trial
is drawn with: ``qmc`` and ``grid`` by its place among the trials alone, ``cmaes`` and ``gp`` from what became of the
trials before it.
"""

from search.sampling.grid import N_POSITIONS, grid
from search.sampling.memory import Memory
from search.sampling.sampling import Draw, Sampling
from search.sampling.start import LARGEST_START, START_POSITIONS, start
from search.sampling.tpe import N_RANDOM

__all__ = [
    "LARGEST_START",
    "N_POSITIONS",
    "N_RANDOM",
    "START_POSITIONS",
    "Draw",
    "Memory",
    "Sampling",
    "grid",
    "start",
]

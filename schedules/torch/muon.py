"""Muon for hidden matrices and AdamW for the rest, as one optimizer of torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn, optim


def hidden_matrices(model: nn.Module) -> list[Tensor]:
    """Return the weights of a model that Muon is meant for.

    They are its two-dimensional weights but for embeddings and for the first and the last layer, where layers
    stand in the order in which the model names them and one with a weight of two dimensions or more counts.
    """
    embeddings = {
        id(module.weight) for module in model.modules() if isinstance(module, (nn.Embedding, nn.EmbeddingBag))
    }
    return [weight for weight in between_first_and_last(model.parameters()) if id(weight) not in embeddings]


def between_first_and_last(weights: Iterable[Tensor]) -> list[Tensor]:
    """Return the matrices among weights in the order of layers, without those of the first and the last layer."""
    layers = [weight for weight in weights if weight.ndim >= 2]
    return [weight for weight in layers[1:-1] if weight.ndim == 2]


class MuonWithAdamW(optim.Optimizer):
    """One optimizer made of two: ``torch.optim.Muon`` for some weights, ``torch.optim.AdamW`` for the others.

    Its groups are theirs, Muon's first, so that whoever writes a rate or a weight decay into every group
    reaches both, and its state is theirs, so that it is saved and restored as one.

    Args:
        muon: with the hidden matrices.
        adamw: with everything else; None when there is nothing else.
    """

    def __init__(self, muon: optim.Muon, adamw: optim.AdamW | None) -> None:
        self._parts: list[optim.Optimizer] = [muon] if adamw is None else [muon, adamw]
        super().__init__([group for part in self._parts for group in part.param_groups], {})
        self._share()

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one update of all weights."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts:
            part.step()
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._share()

    def _share(self) -> None:
        for part, group in zip(self._parts, self.param_groups, strict=True):
            part.param_groups = [group]
            part.state = self.state

"""Requests that the API's documentation shows, and that work as they stand."""

from __future__ import annotations

from typing import Any

from fastapi.openapi.models import Example

FENCE: dict[str, Any] = {"project": "default", "study": "digits-first", "trial": 0, "attempt": 1, "lease": "the-lease"}
RECIPE: dict[str, Any] = {
    "optimizer": {"kind": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.0001},
    "peak_lr": 0.1,
    "schedule": {"kind": "warmup", "fraction": 0.05, "then": {"kind": "cosine", "final_ratio": 0.01}},
}

STUDY_EXAMPLES: dict[str, Example] = {
    "short": {"summary": "A task, and a default for everything else", "value": {"task": "digits-mlp"}},
    "full": {
        "summary": "Families, ranges and a budget of one's own",
        "value": {
            "name": "digits-first",
            "task": "digits-mlp",
            "epochs": 20,
            "seed": 0,
            "space": {
                "optimizers": ["sgd", "adamw"],
                "families": ["constant", "multi_factor", "cosine", "inverse_sqrt", "plateau"],
                "ranges": {
                    "peak_lr": {"sgd": {"low": 0.01, "high": 1.0}},
                    "warmup_fraction": {"low": 0.0, "high": 0.2},
                },
            },
            "objective": {"metric": "val_loss", "direction": "minimize"},
            "sampler": {"kind": "tpe"},
            "pruner": {"kind": "median"},
            "budget": {"trials": 60},
            "labels": {"team": "vision"},
        },
    },
    "external": {
        "summary": "Trained by a program of one's own, through /v1/work",
        "value": {
            "name": "my-model",
            "task": "external",
            "task_options": {"horizon": 2000, "metrics": {"val_loss": "minimize"}},
            "budget": {"trials": 30},
        },
    },
}
ENQUEUE_EXAMPLES: dict[str, Example] = {"recipe": {"summary": "SGD with a cosine", "value": {"recipe": RECIPE}}}
CHECK_EXAMPLES: dict[str, Example] = {
    "recipe": {"summary": "SGD with a cosine", "value": {"recipe": RECIPE, "horizon": 740}},
    "doubtful": {
        "summary": "Warm restarts under an Adam with L2, in a study that prunes",
        "value": {
            "recipe": {
                "optimizer": {"kind": "adam", "weight_decay": 0.0001},
                "peak_lr": 0.001,
                "schedule": {"kind": "restarts", "cycles": 3, "then": {"kind": "cosine"}},
            },
            "horizon": 740,
            "pruner": "median",
        },
    },
}
PREVIEW_EXAMPLES: dict[str, Example] = {
    "warmup": {
        "summary": "A warm-up and a cosine",
        "value": {"schedule": RECIPE["schedule"], "horizon": 1000, "peak_lr": 0.1},
    },
    "milestones": {
        "summary": "Two drops",
        "value": {"schedule": {"kind": "multi_factor", "milestones": [0.5, 0.75], "gamma": 0.1}, "horizon": 1000},
    },
    "several": {
        "summary": "A recipe beside a schedule, for a picture with a logarithmic axis in epochs",
        "value": {
            "schedules": [
                {"recipe": RECIPE, "label": "ours"},
                {"schedule": {"kind": "wsd", "decay_fraction": 0.2}, "label": "theirs", "peak_lr": 0.05},
            ],
            "horizon": 740,
            "rate_axis": "log",
            "updates_per_epoch": 37,
        },
    },
}
ANNOUNCE_EXAMPLES: dict[str, Example] = {
    "worker": {
        "summary": "A worker on a GPU",
        "value": {"worker": "gpu-box:0", "host": "gpu-box", "device": {"kind": "cuda", "index": 0, "name": "H200"}},
    }
}
CLAIM_EXAMPLES: dict[str, Example] = {
    "external": {
        "summary": "Work on external studies, waiting up to ten seconds",
        "value": {"worker": "my-script", "tasks": ["external"], "wait_seconds": 10},
    }
}
REPORT_EXAMPLES: dict[str, Example] = {
    "point": {
        "summary": "One evaluation",
        "value": {
            "reports": [
                {
                    "fence": FENCE,
                    "update": 100,
                    "points": [{"update": 100, "epoch": 1.0, "rate": 0.1, "metrics": {"val_loss": 0.42}}],
                }
            ]
        },
    },
    "renew": {
        "summary": "No news: only renew the lease",
        "value": {"reports": [{"fence": FENCE, "update": 130}]},
    },
}
FINISH_EXAMPLES: dict[str, Example] = {
    "completed": {
        "summary": "The run reached its horizon",
        "value": {
            "finishes": [
                {
                    "fence": FENCE,
                    "outcome": {"kind": "completed", "test_metrics": {"test_loss": 0.4}},
                    "points": [{"update": 2000, "epoch": 20.0, "rate": 0.001, "metrics": {"val_loss": 0.31}}],
                    "train_seconds": 12.5,
                }
            ]
        },
    },
    "diverged": {
        "summary": "The loss stopped being finite",
        "value": {"finishes": [{"fence": FENCE, "outcome": {"kind": "diverged", "update": 17, "rate": 0.8}}]},
    },
    "failed": {
        "summary": "The program raised an error",
        "value": {
            "finishes": [
                {"fence": FENCE, "outcome": {"kind": "failed", "cause": "error", "message": "KeyError: 'images'"}}
            ]
        },
    },
}

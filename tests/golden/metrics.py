"""Writes metrics.json: what scikit-learn says of a few sets of labels and scores, ties and sets of one class among them.

    python3 tests/golden/metrics.py

`scores` are p(fake) as float32; a post is called fake when its score is above one half. `precision`, `recall` and `f1` are [real, fake] with 0 for 0/0; `auroc` and `auprc`
(average precision) are null where only one class is present. `ece` is in plain numpy, over 15 bins of equal width as `calibration_curve` makes them, which has to agree.
"""

import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score, average_precision_score, confusion_matrix, f1_score, log_loss, precision_recall_fscore_support, roc_auc_score,
)

SEED = 20261124
BINS = 15
HERE = Path(__file__).resolve().parent


def sets(rng: np.random.Generator) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Name -> (labels, scores)."""
    labels = rng.integers(0, 2, 60)
    informed = np.clip(0.3 * labels + rng.uniform(0.02, 0.68, 60), 0.01, 0.99)
    rare = (rng.uniform(size=80) < 0.1).astype(int)
    return {
        "informed": (labels, informed),
        "chance": (labels, rng.uniform(0.01, 0.99, 60)),
        "ties": (labels, np.round(informed * 5) / 5 * 0.8 + 0.05),
        "all scores equal": (labels, np.full(60, 0.7)),
        "rare class": (rare, np.clip(0.2 * rare + rng.uniform(0.02, 0.7, 80), 0.01, 0.99)),
        "reversed": (labels, 1 - informed),
        "perfect": (np.array([0, 0, 1, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9, 0.7])),
        "never called fake": (labels, informed * 0.4),
        "only fake": (np.ones(7, dtype=int), rng.uniform(0.2, 0.9, 7)),
        "only real": (np.zeros(7, dtype=int), rng.uniform(0.2, 0.9, 7)),
        "one post": (np.array([1]), np.array([0.9])),
    }


def calibration_error(labels: np.ndarray, scores: np.ndarray) -> float:
    """Sum over bins of (share of the posts) * |share of fakes - mean score|."""
    bins = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], scores)
    used = np.unique(bins)
    fakes, means = (np.array([values[bins == b].mean() for b in used]) for values in (labels, scores))
    if len(set(labels.tolist())) == 2:  # scikit-learn wants both classes
        theirs = calibration_curve(labels, scores, n_bins=BINS)
        assert np.allclose(fakes, theirs[0]) and np.allclose(means, theirs[1])
    shares = np.array([np.mean(bins == b) for b in used])
    return float(np.sum(shares * np.abs(fakes - means)))


def measure(labels: np.ndarray, scores: np.ndarray) -> dict[str, object]:
    scores = scores.astype(np.float32)
    predicted = (scores > 0.5).astype(int)
    both = len(set(labels.tolist())) == 2
    precision, recall, f1, support = precision_recall_fscore_support(labels, predicted, labels=[0, 1], zero_division=0)
    return {
        "labels": labels.tolist(),
        "scores": [float(s) for s in scores],
        "accuracy": float(accuracy_score(labels, predicted)),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "support": support.tolist(),
        "macro_f1": float(f1_score(labels, predicted, labels=[0, 1], average="macro", zero_division=0)),
        "confusion": confusion_matrix(labels, predicted, labels=[0, 1]).tolist(),
        "log_loss": float(log_loss(labels, scores.astype(np.float64), labels=[0, 1])),
        "auroc": float(roc_auc_score(labels, scores)) if both else None,
        "auprc": float(average_precision_score(labels, scores)) if both else None,
        "ece": calibration_error(labels, scores.astype(np.float64)),
    }


def main():
    found = {name: measure(*pair) for name, pair in sets(np.random.default_rng(SEED)).items()}
    about = {"scikit-learn": sklearn.__version__, "numpy": np.__version__, "seed": SEED}
    (HERE / "metrics.json").write_text(json.dumps({"about": about, "sets": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()

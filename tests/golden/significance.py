"""Writes significance.json: what scipy says of spreads over seeds, of McNemar's exact test and of the paired bootstrap.

    python3 tests/golden/significance.py

`spreads`: values -> mean, standard deviation (n - 1), 95 % interval of the mean by Student's t. `mcnemar`: posts that only one of two classifiers tells right -> two-sided
p of the binomial distribution. `bootstraps`: clusters (sum of the posts' differences, posts) -> mean difference and, over 400,000 draws of clusters, its 2.5 and 97.5 percentiles and
the two-sided p; the program draws 10,000 times with another generator, so these agree to within the error of the draws only.
"""

import json
from pathlib import Path

import numpy as np
import scipy
from scipy import stats

SEED = 20261125
DRAWS = 400_000
HERE = Path(__file__).resolve().parent


def spread(values: np.ndarray) -> dict[str, object]:
    low, high = stats.t.interval(0.95, len(values) - 1, loc=values.mean(), scale=stats.sem(values))
    return {"values": values.tolist(), "mean": values.mean(), "sd": values.std(ddof=1), "low": low, "high": high}


def mcnemar(first: int, second: int) -> dict[str, object]:
    p = stats.binomtest(first, first + second, 0.5).pvalue if first + second else 1.0
    return {"only_first": first, "only_second": second, "p": float(p)}


def bootstrap(rng: np.random.Generator, sums: np.ndarray, posts: np.ndarray) -> dict[str, object]:
    """Of the ratio of sums, as posts that share a picture are drawn together."""
    ratio = lambda s, n, axis=-1: s.sum(axis=axis) / n.sum(axis=axis)
    result = stats.bootstrap((sums, posts), ratio, paired=True, n_resamples=DRAWS, method="percentile", batch=10_000, rng=rng)
    drawn = result.bootstrap_distribution
    p = min(1.0, 2 * min((drawn <= 0).mean(), (drawn >= 0).mean()))
    interval = result.confidence_interval
    return {
        "sums": sums.tolist(), "posts": posts.tolist(), "mean": ratio(sums, posts), "sd": drawn.std(),
        "low": interval.low, "high": interval.high, "p": p,
    }


def main():
    rng = np.random.default_rng(SEED)
    seeds = [2, 3, 5, 10, 30]
    pairs = [(0, 0), (1, 0), (3, 9), (9, 3), (7, 7), (0, 12), (40, 61), (480, 520), (1500, 1320)]
    alone = rng.normal(0.05, 0.5, 120)
    averaged = rng.choice(np.arange(-2, 3) / 5, 200, p=[0.1, 0.2, 0.4, 0.2, 0.1])
    shared = rng.integers(1, 12, 40)
    found = {
        "spreads": [spread(rng.normal(0.9, 0.01, n)) for n in seeds],
        "mcnemar": [mcnemar(*pair) for pair in pairs],
        "bootstraps": [
            bootstrap(rng, alone, np.ones(120)),
            bootstrap(rng, averaged, np.ones(200)),
            bootstrap(rng, np.array([float(rng.integers(-n // 3, n // 2 + 1)) for n in shared]), shared.astype(float)),
        ],
    }
    about = {"scipy": scipy.__version__, "numpy": np.__version__, "seed": SEED, "draws": DRAWS}
    (HERE / "significance.json").write_text(json.dumps({"about": about, **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Writes separation.json: what scikit-learn says of the silhouette and of the purity of nearest neighbours.

    python3 tests/golden/separation.py

`points`, `groups` -> `silhouette_score`, and the share of points whose nearest other point (`NearestNeighbors`) is of their own group.
"""

import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors

SEED = 20261128
HERE = Path(__file__).resolve().parent


def case(points: np.ndarray, groups: np.ndarray) -> dict[str, object]:
    points = points.astype(np.float32).round(4)
    nearest = NearestNeighbors(n_neighbors=2).fit(points).kneighbors(return_distance=False, n_neighbors=1)[:, 0]
    return {
        "points": [[float(value) for value in row] for row in points.astype(float).round(4)], "groups": groups.tolist(),
        "silhouette": float(silhouette_score(points.astype(np.float64), groups)), "purity": float((groups[nearest] == groups).mean()),
    }


def main():
    rng = np.random.default_rng(SEED)
    cases = []
    for n, width, kinds, apart in [(40, 2, 2, 3.0), (60, 8, 2, 0.5), (50, 5, 4, 1.5), (30, 3, 3, 0.0)]:
        groups = rng.integers(0, kinds, n)
        centres = rng.normal(0, apart, (kinds, width))
        cases.append(case(centres[groups] + rng.normal(0, 1, (n, width)), groups))
    # a group of one point
    groups = np.array([0] * 8 + [1] * 7 + [2])
    cases.append(case(rng.normal(0, 1, (16, 4)) + groups[:, None], groups))
    about = {"scikit-learn": sklearn.__version__, "numpy": np.__version__, "seed": SEED}
    (HERE / "separation.json").write_text(json.dumps({"about": about, "cases": cases}) + "\n")


if __name__ == "__main__":
    main()

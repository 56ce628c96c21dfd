"""Times a sweep of E = 1..6 experts x seeds x epochs: `mmfnd sweep` against a plain PyTorch script that trains the same heads one after another.

    python3 tests/speed/sweep.py [--posts 2000] [--seeds 5] [--epochs 3] [--experts 6] [--threads 2] [--side both|ours|theirs] [--device flex|cuda] [--compile] [--out target/bench/sweep]

Needs tests/golden/requirements.txt and cargo, or with --programs FOLDER the programs that cargo built. The features have the full size (13 x 768, 2048, 512 + 512, and ResNet's layer of 1000 classes) and are made up: 70 % of the posts are trained
on, 15 % each are for validation and test. Both sides: batch 64, AdamW, dropout 0.5, validation accuracy after each epoch, the best epoch kept, the test posts at the end.
Theirs is also timed as a careful user would run it (`fused`): fused AdamW, and on the processor as many trainings at once as there are threads, each in a process of one thread, as ours does.
And `stacked`: the seeds of a point as one head with stacked weights, by `torch.func.vmap`, with fused AdamW.
Ours is the time of the whole process (`--no-best-test`, N jobs of one thread): loading the store, and a run directory with weights and all predictions for each run. Theirs starts when the
features are in memory as float32 and writes nothing; N threads. On a card (--device cuda) both sides do one run after another; theirs keeps the features there, and --compile gives its heads to torch.compile.

Prints a JSON object on standard output: seconds of each side, their ratio, and the mean test accuracy of each, which has to be about the same; and what share of its epochs a sweep
evaluates that also looks at the test posts after each epoch, as `mmfnd sweep` does unless it is told not to (three experts, a run per thread).
"""

import argparse
import copy
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet
import torch
import torch.nn.functional as F

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "golden"))

import reference  # noqa: E402

BATCH = 64
PROGRAMS: Path | None = None


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--experts", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--side", choices=["both", "ours", "theirs"], default="both")
    parser.add_argument("--device", choices=["flex", "cuda"], default="flex")
    parser.add_argument("--compile", action="store_true", help="theirs with torch.compile")
    parser.add_argument("--programs", type=Path, help="folder of the programs; without it cargo builds them")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "target" / "bench" / "sweep")
    a = parser.parse_args()
    use_programs(a.programs)
    return a


def use_programs(folder: Path | None):
    """Takes the programs from a folder instead of having cargo build them."""
    global PROGRAMS
    PROGRAMS = folder


def run(*command: str | Path):
    """Runs a command whose output is no result; what it prints goes to standard error."""
    subprocess.run(command, cwd=REPOSITORY, stdout=sys.stderr, check=True)


def store(a: argparse.Namespace) -> tuple[Path, Path]:
    """Makes the posts and their features, unless an earlier call with as many posts did."""
    world = a.out / f"world-{a.posts}"
    if not (world / "features.parquet").exists():
        shutil.rmtree(world, ignore_errors=True)
        run(built("--example", "made_up_store"), world, "--posts", str(a.posts))
        run(built("--bin", "mmfnd"), "features", "export", world / "store", "--posts", world / "posts.parquet", "--out", world / "features.parquet")
    return world, world / "features.parquet"


def built(kind: str, name: str) -> Path:
    """Builds a target (`--bin`, `--bench` or `--example`) unless it is there already; its file."""
    if PROGRAMS is not None:
        return PROGRAMS / name
    build = ["cargo", "build", "--release", "-p", "mmfnd", "-p", "mmfnd-train", kind, name, "--message-format", "json"]
    messages = subprocess.run(build, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return next(Path(m["executable"]) for m in map(json.loads, messages) if m.get("executable") and m["target"]["name"] == name)


def sweep(a: argparse.Namespace, world: Path, out: Path, *options: str) -> float:
    """Seconds of a sweep with these options."""
    shutil.rmtree(out, ignore_errors=True)
    jobs = 1 if a.device == "cuda" else a.threads
    common = ["--posts", world / "posts.parquet", "--store", world / "store", "--out", out, "--jobs", str(jobs), "--device", a.device, "--set", f"train.epochs={a.epochs}"]
    program = built("--bin", "mmfnd")
    start = time.perf_counter()
    run(program, "sweep", *common, *options)
    return time.perf_counter() - start


def evaluation_share(a: argparse.Namespace, world: Path) -> float:
    """With validation and test posts evaluated after each epoch."""
    out = a.out / "evaluated"
    sweep(a, world, out, "--seeds", str(a.threads))
    reports = [json.loads(line) for path in out.glob("runs/*/metrics.jsonl") for line in path.read_text().splitlines()]
    assert len(reports) == a.threads * a.epochs and all("test" in report for report in reports)
    return sum(report["evaluation_seconds"] for report in reports) / sum(report["seconds"] for report in reports)


def ours(a: argparse.Namespace, world: Path) -> dict[str, float]:
    """`mmfnd sweep` as a process."""
    out = a.out / "runs"
    seconds = sweep(a, world, out, "--grid", f"head.experts=1..{a.experts}", "--seeds", str(a.seeds), "--no-best-test")
    records = [json.loads(line) for line in (out / "runs.jsonl").read_text().splitlines()]
    assert len(records) == a.experts * a.seeds and all(record["status"] == "finished" for record in records)
    return {"seconds": seconds, "test_accuracy": float(np.mean([record["test"]["accuracy"] for record in records]))}


class Features:
    """All features in memory, or on the card."""

    def __init__(self, path: Path, device: str):
        table = pyarrow.parquet.read_table(path)
        column = lambda name: torch.from_numpy(table[name].combine_chunks().flatten().to_numpy().reshape(len(table), -1).copy())
        inputs = (column("bert").view(len(table), 13, 768), column("resnet"), column("clip_text"), column("clip_image"))
        self.inputs = tuple(x.to(device) for x in inputs)
        self.labels = torch.from_numpy(table["label"].to_numpy().astype(np.int64)).to(device)
        split = np.array(table["split"].to_pylist())
        self.rows = {name: torch.from_numpy(np.flatnonzero(split == name)).to(device) for name in ("train", "validation", "test")}
        self.device = device

    def batch(self, rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(column[rows] for column in self.inputs)


def accuracy(head: torch.nn.Module, features: Features, split: str) -> float:
    head.eval()
    rows, right = features.rows[split], 0
    with torch.no_grad():
        for chunk in rows.split(BATCH):
            right = right + (head(*features.batch(chunk))["logits"].argmax(1) == features.labels[chunk]).sum()
    return right.item() / len(rows)  # read once, so that a card is not waited for at each batch


def train(features: Features, experts: int, seed: int, a: argparse.Namespace, fused: bool = False) -> float:
    """Test accuracy of the epoch that is best on the validation posts."""
    torch.manual_seed(seed)
    head = reference.Mmfnd(reference.Config(experts=experts, shared_experts=experts)).to(features.device)
    if a.compile:
        head.compile()
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-4, weight_decay=0.01, fused=fused)
    rows, best, weights = features.rows["train"], -1.0, None
    for _ in range(a.epochs):
        head.train()
        for chunk in rows[torch.randperm(len(rows), device=features.device)].split(BATCH):
            if len(chunk) == 1:
                continue  # batch norm needs two
            loss = F.cross_entropy(head(*features.batch(chunk))["logits"], features.labels[chunk])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        validation = accuracy(head, features, "validation")
        if validation > best:
            best, weights = validation, copy.deepcopy(head.state_dict())
    head.load_state_dict(weights)
    return accuracy(head, features, "test")


def theirs(a: argparse.Namespace, path: Path) -> dict[str, float]:
    """One training after the other."""
    torch.set_num_threads(a.threads)
    features = Features(path, "cuda" if a.device == "cuda" else "cpu")
    start, found = time.perf_counter(), []
    for experts in range(1, a.experts + 1):
        for seed in range(1, a.seeds + 1):
            found.append(train(features, experts, seed, a))
            print(f"PyTorch, {experts} experts, seed {seed}: test accuracy {found[-1]:.3f}, {time.perf_counter() - start:.1f} s", file=sys.stderr)
    return {"seconds": time.perf_counter() - start, "test_accuracy": float(np.mean(found))}


def fused(a: argparse.Namespace, path: Path) -> dict[str, float]:
    """Trainings side by side; what the start of their processes and the reading of the features take is not counted."""
    tasks = [(experts, seed) for experts in range(a.experts, 0, -1) for seed in range(1, a.seeds + 1)]
    if a.device == "cuda":
        features = Features(path, "cuda")
        start = time.perf_counter()
        found = [train(features, *task, a, fused=True) for task in tasks]
        return {"seconds": time.perf_counter() - start, "test_accuracy": float(np.mean(found))}
    processes = torch.multiprocessing.get_context("spawn")
    ready = processes.Barrier(a.threads + 1)
    with processes.Pool(a.threads, begin_worker, (ready, path)) as pool:
        ready.wait()
        start = time.perf_counter()
        found = pool.starmap(train_in_worker, [(*task, a) for task in tasks], chunksize=1)
        return {"seconds": time.perf_counter() - start, "test_accuracy": float(np.mean(found))}


class Stack:
    """Heads of several seeds as one: weights and statistics stacked, `torch.func.vmap` over them."""

    def __init__(self, features: Features, experts: int, seeds: range, device: str):
        heads = []
        for seed in seeds:
            torch.manual_seed(seed)
            heads.append(reference.Mmfnd(reference.Config(experts=experts, shared_experts=experts)).to(device))
        self.weights, self.statistics = torch.func.stack_module_state(heads)
        self.head, self.features, self.seeds = copy.deepcopy(heads[0]).to("meta"), features, len(heads)

    def logits(self, rows: torch.Tensor) -> torch.Tensor:
        """Of posts [S, B], for each seed its own.  [S, B, C]"""
        one = lambda weights, statistics, *inputs: torch.func.functional_call(self.head, (weights, statistics), inputs)["logits"]
        return torch.func.vmap(one, randomness="different")(self.weights, self.statistics, *self.features.batch(rows))

    def accuracy(self, split: str) -> torch.Tensor:
        self.head.eval()
        rows, right = self.features.rows[split], 0
        with torch.no_grad():
            for chunk in rows.split(BATCH):
                found = self.logits(chunk.expand(self.seeds, -1)).argmax(2)
                right = right + (found == self.features.labels[chunk]).sum(1)
        return right / len(rows)


def train_stacked(features: Features, experts: int, a: argparse.Namespace) -> list[float]:
    """As `train`, all seeds at once; each sees the posts in an order of its own."""
    stack = Stack(features, experts, range(1, a.seeds + 1), features.device)
    optimizer = torch.optim.AdamW(stack.weights.values(), lr=1e-4, weight_decay=0.01, fused=True)
    rows, best, kept = features.rows["train"], torch.full((a.seeds,), -1.0, device=features.device), None
    for _ in range(a.epochs):
        stack.head.train()
        orders = torch.stack([torch.randperm(len(rows), device=features.device) for _ in range(a.seeds)])
        for chunk in rows[orders].split(BATCH, dim=1):
            if chunk.shape[1] == 1:
                continue
            # the sum of the seeds' means, so that each gets the gradient that it would have alone
            loss = a.seeds * F.cross_entropy(stack.logits(chunk).flatten(0, 1), features.labels[chunk].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        validation = stack.accuracy("validation")
        is_better, best = validation > best, torch.maximum(validation, best)
        state = stack.weights | stack.statistics
        pick = lambda new, old: torch.where(is_better.view(-1, *[1] * (new.dim() - 1)), new, old)
        kept = {name: value.detach().clone() if kept is None else pick(value.detach(), kept[name]) for name, value in state.items()}
    stack.weights = {name: kept[name] for name in stack.weights}
    stack.statistics = {name: kept[name] for name in stack.statistics}
    return stack.accuracy("test").tolist()


def stacked(a: argparse.Namespace, path: Path) -> dict[str, float]:
    """One point after the other, all of its seeds at once, all threads."""
    torch.set_num_threads(a.threads)
    features = Features(path, "cuda" if a.device == "cuda" else "cpu")
    start, found = time.perf_counter(), []
    for experts in range(1, a.experts + 1):
        found += train_stacked(features, experts, a)
        print(f"PyTorch, stacked, {experts} experts: test accuracies {found[-a.seeds :]}, {time.perf_counter() - start:.1f} s", file=sys.stderr)
    return {"seconds": time.perf_counter() - start, "test_accuracy": float(np.mean(found))}


def begin_worker(ready, path: Path):
    global WORKER_FEATURES
    torch.set_num_threads(1)
    WORKER_FEATURES = Features(path, "cpu")
    ready.wait()


def train_in_worker(experts: int, seed: int, a: argparse.Namespace) -> float:
    return train(WORKER_FEATURES, experts, seed, a, fused=True)


def main():
    a = arguments()
    a.out.mkdir(parents=True, exist_ok=True)
    world, exported = store(a)
    result: dict[str, object] = {"posts": a.posts, "runs": a.experts * a.seeds, "epochs": a.epochs, "threads": a.threads}
    if a.side != "theirs":
        result["ours"] = ours(a, world)
        if a.device == "flex":
            result["evaluation_share"] = evaluation_share(a, world)
    if a.side != "ours":
        result["theirs"] = theirs(a, exported)
        result["fused"] = fused(a, exported)
        result["stacked"] = stacked(a, exported)
    if a.side == "both":
        result["ratio"] = result["ours"]["seconds"] / result["theirs"]["seconds"]
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

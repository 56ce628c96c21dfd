"""Times the training of the head at full size against PyTorch, both sides in one run, in turns: a step, an epoch, and (by sweep.py) a sweep.

    python3 tests/speed/train.py [--rounds 5] [--steps 20] [--posts 19653] [--threads 2] [--no-sweep]

Needs tests/golden/requirements.txt and cargo. The work: 13 x 768, 2048 and 512 + 512 numbers a post, three experts, 6.6 million weights and ResNet's layer of 2 million, batch 64,
dropout 0.5, float32. PyTorch: eager, its default AdamW, features in memory as float32. Ours: for the epoch also what comes before and after, from the store on disk.
`floor` is the time of the step's products at this machine's rate of a large product, and of one pass of AdamW at its memory's rate.

Prints a table and writes target/bench/train.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "golden"))

import reference  # noqa: E402
import sweep  # noqa: E402

BATCH = 64


class Ours:
    """The benchmark binary, which answers commands."""

    def __init__(self, threads: int):
        environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen([sweep.built("--bench", "train")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def ask(self, *words) -> dict:
        print(*words, file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())


class Theirs:
    """A plain training loop."""

    def __init__(self):
        torch.manual_seed(0)
        self.head = reference.Mmfnd(reference.Config()).train()
        self.optimizer = torch.optim.AdamW(self.head.parameters(), lr=1e-4, weight_decay=0.01)

    def step(self, inputs, labels) -> float:
        start = time.perf_counter()
        loss = F.cross_entropy(self.head(*inputs)["logits"], labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return time.perf_counter() - start


def features(posts: int) -> list[torch.Tensor]:
    return [torch.randn(posts, *shape) for shape in [(13, 768), (2048,), (512,), (512,)]]


def bench_step(ours: Ours, a: argparse.Namespace) -> dict:
    """Medians over all steps of all rounds."""
    theirs, inputs, labels = Theirs(), features(BATCH), torch.randint(0, 2, (BATCH,))
    times = {"ours": [], "theirs": []}
    for round in range(a.rounds + 1):  # the first one warms both sides up
        found = {"ours": ours.ask("step", a.steps)["step"], "theirs": [theirs.step(inputs, labels) for _ in range(a.steps)]}
        for side in times:
            times[side] += found[side] if round else []
    return compared({side: statistics.median(seconds) for side, seconds in times.items()})


def bench_epoch(ours: Ours, a: argparse.Namespace, step: float) -> dict:
    """Medians of three epochs; ours begins with a closed store."""
    world = REPOSITORY / "target" / "bench" / f"world-{a.posts}"
    if not (world / "posts.parquet").exists():
        sweep.run(sweep.built("--example", "made_up_store"), world, "--posts", str(a.posts))
    theirs, found, seconds = Theirs(), [], []
    for _ in range(3):
        found.append(ours.ask("epoch", world / "posts.parquet", world / "store", world / "run"))
        seconds.append(their_epoch(theirs, found[-1]["posts"]))
    middle = {key: statistics.median(one[key] for one in found) for key in found[0]}
    epoch = compared({"ours": middle["load"] + middle["before_first_step"] + middle["train"], "theirs": statistics.median(seconds)})
    return {
        "epoch": {**epoch, "posts": middle["posts"], "load": middle["load"]},
        "first_step_s": middle["before_first_step"] + step,
        "evaluation_share": middle["evaluation"] / (middle["train"] + middle["evaluation"]),
        "evaluated": middle["evaluated"],
    }


def their_epoch(theirs: Theirs, posts: int) -> float:
    inputs, labels = features(posts), torch.randint(0, 2, (posts,))
    start = time.perf_counter()
    for rows in torch.randperm(posts).split(BATCH):
        if len(rows) > 1:  # batch norm needs two; ours leaves the same one out
            theirs.step([x[rows] for x in inputs], labels[rows])
    return time.perf_counter() - start


def bench_sweep(threads: int) -> dict:
    command = [sys.executable, Path(__file__).with_name("sweep.py"), "--threads", str(threads)]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return {**found, **compared({side: found[side]["seconds"] for side in ("ours", "theirs")})}


def compared(times: dict) -> dict:
    return {**times, "ratio": times["ours"] / times["theirs"]}


def show(result: dict):
    print(f"{'':<8} {'ours':>9} {'PyTorch':>9} {'ratio':>6}")
    for name in ("step", "epoch", "sweep"):
        if row := result.get(name):
            print(f"{name:<8} {row['ours']:>8.3f}s {row['theirs']:>8.3f}s {row['ratio']:>6.2f}")
    print(f"floor of a step {result['floor'] * 1e3:.1f} ms = {result['floor'] / result['step']['theirs']:.2f} of PyTorch's")
    print(f"from reading to the first step's end {result['first_step_s']:.2f} s; evaluation {result['evaluation_share']:.1%} of an epoch ({result['evaluated']} posts)")
    if row := result.get("sweep"):
        print(f"evaluation in a sweep that looks at the test posts too {row['evaluation_share']:.1%} of an epoch")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--posts", type=int, default=19653, help="70 %% of them, 13,761, are trained on")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-sweep", action="store_true")
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    ours = Ours(a.threads)
    result = {"step": bench_step(ours, a), "threads": a.threads, "torch": torch.__version__}
    result["floor"] = ours.ask("floor")["floor"]
    result |= bench_epoch(ours, a, result["step"]["ours"])
    if not a.no_sweep:
        result["sweep"] = bench_sweep(a.threads)
    out = REPOSITORY / "target" / "bench" / "train.json"
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    show(result)
    print(f"wrote {out.relative_to(REPOSITORY)}")


if __name__ == "__main__":
    main()

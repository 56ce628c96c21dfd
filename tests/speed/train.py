"""Times the training of the head at full size against PyTorch, both sides in one run, in turns: a step, an epoch, and (by sweep.py) a sweep.

    python3 tests/speed/train.py [--rounds 5] [--steps 20] [--posts 19653] [--threads 2] [--device flex|cuda] [--compile] [--no-sweep] [--out target/bench/train.json]

Needs tests/golden/requirements.txt and cargo, or with --programs FOLDER the programs that cargo built. The work: 13 x 768, 2048 and 512 + 512 numbers a post, three experts, 6.6 million weights and ResNet's layer of 2 million, batch 64,
dropout 0.5, float32. PyTorch: eager, its default AdamW (`theirs`), and what a careful user would run (`step_tuned`, `epoch_tuned`, `sweep_tuned`): its fused AdamW, with --compile also torch.compile, whichever is faster; features in memory as float32. Ours: for the epoch also what comes before and after, from the store on disk.
`floor` is the time of the step's products at this machine's rate of a large product, and of one pass of AdamW at its memory's rate; of a card there is none.
On a card (--device cuda) PyTorch's features lie there, and what is timed is a round of steps until the card is done. --compile adds PyTorch with torch.compile and fused AdamW.

Prints a table and writes it to --out as JSON.
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

    def __init__(self, threads: int, device: str):
        environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen([sweep.built("--bench", "train"), device], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def ask(self, *words) -> dict:
        print(*words, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"the benchmark ended with {self.process.wait()} instead of answering `{words[0]}`")
        return json.loads(answer)


class Theirs:
    """A plain training loop."""

    def __init__(self, device: str, fused: bool, compiled: bool):
        torch.manual_seed(0)
        self.device = "cuda" if device == "cuda" else "cpu"
        self.head = reference.Mmfnd(reference.Config()).train().to(self.device)
        if compiled:
            self.head.compile()
        self.optimizer = torch.optim.AdamW(self.head.parameters(), lr=1e-4, weight_decay=0.01, fused=fused)

    def wait(self):
        """Until the card has done what it was told."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def steps(self, count: int, inputs, labels) -> list[float]:
        """Seconds of each step; on a card, whose steps overlap, their mean."""
        if self.device == "cpu":
            return [self.step(inputs, labels) for _ in range(count)]
        self.wait()
        start = time.perf_counter()
        for _ in range(count):
            self.step(inputs, labels)
        self.wait()
        return [(time.perf_counter() - start) / count]

    def step(self, inputs, labels) -> float:
        start = time.perf_counter()
        loss = F.cross_entropy(self.head(*inputs)["logits"], labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return time.perf_counter() - start


def features(posts: int, device: str) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Made-up features of all encoders, and labels."""
    inputs = [torch.randn(posts, *shape, device=device) for shape in [(13, 768), (2048,), (512,), (512,)]]
    return inputs, torch.randint(0, 2, (posts,), device=device)


def others(a: argparse.Namespace) -> dict[str, Theirs]:
    sides = {"theirs": Theirs(a.device, False, False), "fused": Theirs(a.device, True, False)}
    return sides | ({"compiled": Theirs(a.device, True, True)} if a.compile else {})


def bench_step(ours: Ours, a: argparse.Namespace) -> dict:
    """Medians over all steps of all rounds."""
    theirs = others(a)
    inputs, labels = features(BATCH, theirs["theirs"].device)
    times = {"ours": [], **{side: [] for side in theirs}}
    for round in range(a.rounds + 1):  # the first one warms all sides up
        found = {"ours": ours.ask("step", a.steps)["step"], **{side: one.steps(a.steps, inputs, labels) for side, one in theirs.items()}}
        for side in times:
            times[side] += found[side] if round else []
    return compared({side: statistics.median(seconds) for side, seconds in times.items()})


def bench_epoch(ours: Ours, a: argparse.Namespace, step: float) -> dict:
    """Medians of three epochs; ours begins with a closed store."""
    world = REPOSITORY / "target" / "bench" / f"world-{a.posts}"
    if not (world / "posts.parquet").exists():
        sweep.run(sweep.built("--example", "made_up_store"), world, "--posts", str(a.posts))
    theirs, found = others(a), []
    seconds = {side: [] for side in theirs}
    for _ in range(3):
        found.append(ours.ask("epoch", world / "posts.parquet", world / "store", world / "run"))
        for side, one in theirs.items():
            seconds[side].append(their_epoch(one, found[-1]["posts"]))
    middle = {key: statistics.median(one[key] for one in found) for key in found[0] if key != "notes"}
    epoch = compared({"ours": middle["load"] + middle["before_first_step"] + middle["train"], **{side: statistics.median(one) for side, one in seconds.items()}})
    return {
        "epoch": {**epoch, "posts": middle["posts"], "load": middle["load"], "train": middle["train"]},
        "first_step_s": middle["before_first_step"] + step,
        "evaluation_share": middle["evaluation"] / (middle["train"] + middle["evaluation"]),
        "evaluated": middle["evaluated"],
    }


def their_epoch(theirs: Theirs, posts: int) -> float:
    inputs, labels = features(posts, theirs.device)
    theirs.wait()
    start = time.perf_counter()
    for rows in torch.randperm(posts, device=theirs.device).split(BATCH):
        if len(rows) > 1:  # batch norm needs two; ours leaves the same one out
            theirs.step([x[rows] for x in inputs], labels[rows])
    theirs.wait()
    return time.perf_counter() - start


def bench_sweep(a: argparse.Namespace) -> dict:
    command = [sys.executable, Path(__file__).with_name("sweep.py"), "--threads", str(a.threads), "--device", a.device]
    command += ["--compile"] * a.compile + (["--programs", a.programs] if a.programs else [])
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return {**found, **compared({side: found[side]["seconds"] for side in ("ours", "theirs", "fused", "stacked")})}


def compared(times: dict) -> dict:
    return {**times, "ratio": times["ours"] / times["theirs"]}


def tuned(row: dict) -> dict:
    """Against the fastest of PyTorch's ways."""
    way = min((side for side in ("fused", "compiled", "stacked", "theirs") if side in row), key=lambda side: row[side])
    return compared({"ours": row["ours"], "theirs": row[way]}) | {"way": {"theirs": "eager"}.get(way, way)}


def show(result: dict):
    print(f"{'':<8} {'ours':>9} {'PyTorch':>9} {'ratio':>6} {'tuned':>9} {'ratio':>6}")
    for name in ("step", "epoch", "sweep"):
        if row := result.get(name):
            fast = result[f"{name}_tuned"]
            print(f"{name:<8} {row['ours']:>8.3f}s {row['theirs']:>8.3f}s {row['ratio']:>6.2f} {fast['theirs']:>8.3f}s {fast['ratio']:>6.2f}  ({fast['way']})")
    if "floor" in result:
        print(f"floor of a step {result['floor'] * 1e3:.1f} ms = {result['floor'] / result['step']['theirs']:.2f} of PyTorch's")
    print(f"from reading to the first step's end {result['first_step_s']:.2f} s; evaluation {result['evaluation_share']:.1%} of an epoch ({result['evaluated']} posts)")
    if (row := result.get("sweep")) and "evaluation_share" in row:
        print(f"evaluation in a sweep that looks at the test posts too {row['evaluation_share']:.1%} of an epoch")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--posts", type=int, default=19653, help="70 %% of them, 13,761, are trained on")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=["flex", "cuda"], default="flex")
    parser.add_argument("--compile", action="store_true", help="PyTorch with torch.compile, too")
    parser.add_argument("--programs", type=Path, help="folder of the programs; without it cargo builds them")
    parser.add_argument("--no-sweep", action="store_true")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "target" / "bench" / "train.json")
    a = parser.parse_args()
    sweep.use_programs(a.programs)
    torch.set_num_threads(a.threads)
    ours = Ours(a.threads, a.device)
    result = {"step": bench_step(ours, a), "threads": a.threads, "device": a.device, "torch": torch.__version__}
    if a.device == "flex":
        result["floor"] = ours.ask("floor")["floor"]
    result |= bench_epoch(ours, a, result["step"]["ours"])
    if not a.no_sweep:
        result["sweep"] = bench_sweep(a)
    result |= {f"{name}_tuned": tuned(result[name]) for name in ("step", "epoch", "sweep") if name in result}
    a.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    show(result)
    print(f"wrote {a.out}")


if __name__ == "__main__":
    main()

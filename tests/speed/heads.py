"""Times a training step of each of the eleven kinds of head at full size against PyTorch, both sides in one run, in turns.

    python3 tests/speed/heads.py [HEAD ...] [--rounds 5] [--seconds 1] [--threads 2] [--programs FOLDER] [--out target/bench/heads.json]

Needs tests/golden/requirements.txt and cargo, or with --programs FOLDER the programs that cargo built. A step is forward, backward and AdamW over one batch of 64 posts: 13 x 768, 2048, 512 + 512 numbers each, and of heads that
read sequences 1 to 128 tokens of 768 (even, seed 0: the same lengths on both sides). CAFE has two such steps a batch; of CMC it is the first stage, with 1500 of 13,761 posts.
PyTorch: eager, fused AdamW, features in memory as float32; of heads that read sequences the references of the golden files padded and without loops (padded.py), whose outputs are first compared with the references'.

Prints a table and writes it to --out as JSON.
"""

import argparse
import copy
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

import sweep
from padded import NETS, Padded, Random

REPOSITORY = Path(__file__).resolve().parents[2]
BATCH, POSTS, EVENTS, TOKENS = 64, 13_761, 10, 128
HEADS = ("mmfnd", "fnd-clip", "eann", "safe", "cafe", "mcan", "liimr", "mvae", "cmc", "mcnn", "mkemn")


class Ours:
    """The benchmark binary, which answers commands."""

    def __init__(self, threads: int, lengths: list[int]):
        environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen([sweep.built("--bench", "heads")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.ask("lengths", *lengths)

    def ask(self, *words) -> dict:
        print(*words, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"the benchmark ended with {self.process.wait()} instead of answering `{words[0]}`")
        return json.loads(answer)


def batch(lengths: list[int]) -> dict:
    """Made-up features of all encoders, and targets."""
    post = torch.arange(BATCH)
    return {
        "bert": torch.randn(BATCH, 13, 768), "resnet": torch.randn(BATCH, 2048), "resnet_logits": torch.randn(BATCH, 1000),
        "clip_text": torch.randn(BATCH, 512), "clip_image": torch.randn(BATCH, 512), "tokens": [torch.randn(t, 768) for t in lengths],
        "label": post % 2, "event": post % EVENTS, "picture": post, "post": post,
    }


class Mmfnd(torch.nn.Module):
    """The paper's own head in the form of the others."""

    def __init__(self):
        super().__init__()
        from reference import Config, Mmfnd
        from layers import Kind, Step

        self.net, self.steps, self.of = Mmfnd(Config()), [Kind()], Step

    def forward(self, batch: dict) -> dict:
        return self.net(*(batch[key] for key in ("bert", "resnet", "clip_text", "clip_image")))

    def step(self, name: str, batch: dict, noise, memory: dict):
        return self.of(self(batch)["logits"])


def net(name: str, data: dict) -> tuple[torch.nn.Module, dict]:
    """A head as a careful user writes it, and the batch that it reads."""
    torch.manual_seed(1)
    if name == "mmfnd":
        return Mmfnd(), data
    module = importlib.import_module(name.replace("-", "_"))
    plain, fast = module.Net(events=EVENTS), NETS.get(name, module.Net)(events=EVENTS)
    fast.load_state_dict(plain.state_dict())
    padded = {**data, "tokens": Padded.of(data["tokens"])}
    check(name, plain, fast, data, padded)
    return fast, padded


def check(name: str, plain: torch.nn.Module, fast: torch.nn.Module, data: dict, padded: dict):
    """Whether both say the same at inference."""
    with torch.no_grad():
        theirs, ours = copy.deepcopy(plain).eval()(data), copy.deepcopy(fast).eval()(padded)
    for key, value in theirs.items():
        assert torch.allclose(value, ours[key], rtol=1e-4, atol=1e-5), f"{name}: {key}"


class Theirs:
    """A plain training loop."""

    def __init__(self, name: str, data: dict):
        self.net, self.data = net(name, data)
        self.net.train()
        self.kinds = (getattr(self.net, "stages", None) or [self.net.steps])[0]
        named = list(self.net.named_parameters())
        of = lambda kind: torch.optim.AdamW([p for key, p in named if kind.trains(key)], lr=1e-4, fused=True)
        self.optimizers = [of(kind) for kind in self.kinds]
        self.memory = memory() if name == "cmc" else {}

    def batch(self) -> float:
        start = time.perf_counter()
        for kind, optimizer in zip(self.kinds, self.optimizers):
            step = self.net.step(kind.name, self.data, Random(), self.memory)
            terms = [weight * value for _, weight, value in step.losses]
            if step.logits is not None and kind.class_weight:
                terms.append(kind.class_weight * F.cross_entropy(step.logits, self.data["label"]))
            optimizer.zero_grad()
            sum(terms[1:], terms[0]).backward()
            optimizer.step()
        return time.perf_counter() - start


def memory() -> dict:
    """CMC's, of as many posts as ours."""
    post = torch.arange(POSTS)
    bank = lambda: F.normalize(torch.randn(POSTS, 128))
    return {"text": bank(), "image": bank(), "classes": [post[post % 2 == c] for c in (0, 1)]}


def timed(ours: Ours, name: str, data: dict, a: argparse.Namespace) -> dict[str, float]:
    """Medians over all batches of all rounds."""
    theirs, times, counts = Theirs(name, data), {"ours": [], "theirs": []}, {}
    sides = {"ours": lambda count: ours.ask("step", name, count)["step"], "theirs": lambda count: [theirs.batch() for _ in range(count)]}
    for side, run in sides.items():  # warms it up, and says how many batches take so long
        counts[side] = max(3, round(a.seconds / min(run(3))))
    for _ in range(a.rounds):
        for side, run in sides.items():
            times[side] += run(counts[side])
    found = {side: statistics.median(seconds) for side, seconds in times.items()}
    return {**found, "ratio": found["ours"] / found["theirs"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("heads", nargs="*", default=HEADS, help="some of them; then nothing is written")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each side in each round")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--programs", type=Path, help="folder of the programs; without it cargo builds them")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "target" / "bench" / "heads.json")
    a = parser.parse_args()
    sweep.use_programs(a.programs)
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    lengths = torch.randint(1, TOKENS + 1, (BATCH,)).tolist()
    ours, data = Ours(a.threads, lengths), batch(lengths)
    result = {}
    print(f"{sum(lengths)} tokens in {BATCH} posts, {a.threads} threads, PyTorch {torch.__version__}")
    print(f"{'':<9} {'ours':>9} {'PyTorch':>9} {'ratio':>6}")
    for name in a.heads:
        result[name] = row = timed(ours, name, data, a)
        print(f"{name:<9} {row['ours'] * 1e3:>6.1f} ms {row['theirs'] * 1e3:>6.1f} ms {row['ratio']:>6.2f}", flush=True)
    ratios = sorted(row["ratio"] for row in result.values())
    print(f"median of the ratios {statistics.median(ratios):.2f}, largest {ratios[-1]:.2f}")
    if set(result) == set(HEADS):
        a.out.parent.mkdir(parents=True, exist_ok=True)
        a.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(f"wrote {a.out}")


if __name__ == "__main__":
    main()

"""Times training with ResNet-101 before the head against PyTorch and torchvision, both sides in one run, in turns, and writes target/bench/online.json.

    python3 tests/speed/online.py --posts POSTS.parquet [--rounds 3] [--steps 4] [--threads 2] [--recipe 200] [--out target/bench/online.json]

Needs torchvision, Pillow, pyarrow, tests/golden/requirements.txt and cargo. POSTS: what `mmfnd import twitter` wrote, with its pictures. Weights are random, in float32, batch norms frozen, the head that of the paper at full
size with made-up features of BERT and CLIP, batches of 64 posts.
`layer4`: one step of layer 4 and the head over maps [1024, 14, 14] of as many distinct pictures as a batch of the posts has on average. `all`: one step of the whole network on 8 distinct pictures of 224 x 224.
`layer4_epoch`: an epoch over the training posts as `mmfnd train --online-resnet` runs it, with the pictures that they share. `recipe_epoch`: the released recipe, in which each post's picture is decoded and goes through the
whole ResNet, forward and backward, in batches of 16: so many posts are timed, and the time of all of them is scaled. The peaks are those of the two processes of ours: of the epoch, and of the whole network's steps.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as parquet
import torch
import torch.nn.functional as F
import torchvision
from PIL import Image
from torchvision import transforms

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "golden"))

import reference  # noqa: E402
import sweep  # noqa: E402

BATCH, RECIPE_BATCH, WHOLE = 64, 16, 8


class Ours:
    """The benchmark binary, which answers commands."""

    def __init__(self, threads):
        environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen([sweep.built("--bench", "online")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def ask(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"the benchmark ended with {self.process.wait()} instead of answering `{words[0]}`")
        return json.loads(answer)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


class Theirs:
    """The head behind a ResNet-101 of which some layers are trained; the others and all batch norms are frozen."""

    def __init__(self, whole):
        torch.manual_seed(0)
        self.head = reference.Mmfnd(reference.Config()).train()
        self.resnet = torchvision.models.resnet101(weights=None).eval()
        self.whole = whole
        trained = self.resnet if whole else self.resnet.layer4
        self.resnet.requires_grad_(False)
        for module in trained.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.requires_grad_(True)
        weights = [weight for weight in self.resnet.parameters() if weight.requires_grad]
        groups = [{"params": self.head.parameters()}, {"params": weights, "lr": 1e-5}]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-4, weight_decay=0.01)

    def pooled(self, x):
        if not self.whole:
            return self.resnet.layer4(x).mean((2, 3))
        r = self.resnet
        x = r.maxpool(r.relu(r.bn1(r.conv1(x))))
        return r.layer4(r.layer3(r.layer2(r.layer1(x)))).mean((2, 3))

    def steps(self, count, pictures):
        x = torch.rand(pictures, 3, 224, 224) if self.whole else torch.rand(pictures, 1024, 14, 14)
        x = x.contiguous(memory_format=torch.channels_last)
        of = torch.arange(BATCH) % pictures
        bert, text, image = torch.randn(BATCH, 13, 768), torch.randn(BATCH, 512), torch.randn(BATCH, 512)
        labels, seconds = torch.arange(BATCH) % 2, []
        for _ in range(count):
            start = time.perf_counter()
            loss = F.cross_entropy(self.head(bert, self.pooled(x)[of], text, image)["logits"], labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            seconds.append(time.perf_counter() - start)
        return seconds


def training_posts(path):
    """Picture and label of each training post that has a picture which can be read, and the pictures' files."""
    rows = [row for row in parquet.read_table(path).to_pylist() if row["split"] == "train"]
    numbers, posts = {}, []
    for row in rows:
        file = next((str(path.parent / image) for image in row["images"]), None)
        if file and Path(file).exists():
            posts.append((numbers.setdefault(file, len(numbers)), row["label"]))
    return posts, list(numbers)


def distinct_of_a_batch(posts):
    """How many pictures a batch of these posts has on average."""
    draw, order = random.Random(0), [picture for picture, _ in posts]
    counts = []
    for _ in range(20):
        draw.shuffle(order)
        counts += [len(set(order[at : at + BATCH])) for at in range(0, len(order) - BATCH, BATCH)]
    return round(statistics.mean(counts))


def bench_steps(ours, a, name, pictures):
    """Medians over all steps of all rounds; the first round warms both sides up."""
    theirs, times, peak = Theirs(name == "all"), {"ours": [], "theirs": []}, 0.0
    for turn in range(a.rounds + 1):
        answer = ours.ask(name, pictures, a.steps)
        found = {"ours": answer["step"], "theirs": theirs.steps(a.steps, pictures)}
        peak = answer["peak_mb"]
        for side in times:
            times[side] += found[side][1:] if turn else []
    row = compared({side: statistics.median(seconds) for side, seconds in times.items()}) | {"pictures": pictures, "peak_mb": peak}
    print(name, row, file=sys.stderr)  # should a later part fail
    return row


def recipe(posts, files, count):
    """Seconds a post of the released recipe: decode, resize and the whole ResNet, forward, backward and update."""
    chosen = random.Random(1).sample(posts, count)
    model = torchvision.models.resnet101(weights=None).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)
    prepare = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()])
    start = time.perf_counter()
    for at in range(0, count, RECIPE_BATCH):
        some = chosen[at : at + RECIPE_BATCH]
        pixels = torch.stack([prepare(Image.open(files[picture]).convert("RGB")) for picture, _ in some])
        loss = F.cross_entropy(model(pixels), torch.tensor([label for _, label in some]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (time.perf_counter() - start) / count


def compared(times):
    return {**times, "ratio": times["ours"] / times["theirs"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--recipe", type=int, default=200, help="posts that the recipe is timed on")
    parser.add_argument("--no-all", action="store_true", help="without the whole network")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "target" / "bench" / "online.json")
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    posts, files = training_posts(a.posts)
    ours, result = Ours(a.threads), {"threads": a.threads, "torch": torch.__version__, "posts": len(posts), "pictures": len(files), "peak_mb": {}}
    result["layer4"] = bench_steps(ours, a, "layer4", distinct_of_a_batch(posts))
    if not a.no_all:
        result["all"] = bench_steps(ours, a, "all", WHOLE)
        result["peak_mb"]["all"] = result["all"]["peak_mb"]
    ours.end()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "posts"
        file.write_text("".join(f"{picture} {label}\n" for picture, label in posts))
        ours = Ours(a.threads)
        epoch = ours.ask("epoch", file, folder)
        ours.end()
    result["peak_mb"]["layer4_epoch"] = epoch["peak_mb"]
    per_post = recipe(posts, files, a.recipe)
    result["recipe_epoch"] = {"seconds": per_post * len(posts), "a_post": per_post, "timed": a.recipe}
    result["layer4_epoch"] = {**epoch, **compared({"ours": epoch["train"], "theirs": per_post * len(posts)})}
    a.out.parent.mkdir(parents=True, exist_ok=True)
    a.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for name in ("layer4", "all", "layer4_epoch"):
        if row := result.get(name):
            print(f"{name:<13} {row['ours']:>9.3f} s  {row['theirs']:>9.3f} s  {row['ratio']:.3f}")
    print(f"peak memory of the epoch {epoch['peak_mb']:.0f} MB; wrote {a.out}")


if __name__ == "__main__":
    main()

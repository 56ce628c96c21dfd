"""Times stage 1 against Python and against the bare session, prints a table and writes target/bench/encode.json.

    python3 tests/speed/speed.py --data DATA [--part NAME]…      # the presets `twitter`, `twitter-int8` (with --calibrate DATA/twitter_mediaeval) and `weibo` have to be exported

Every part runs both sides in turns, on the same posts and the same number of threads, and keeps the median. What a part measures is said at its function. Parts that are not run keep the figures that the file has.
"""

import argparse
import hashlib
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet

import quantised

ROOT = Path(__file__).resolve().parents[2]
BIN, HERE, OUT = ROOT / "target" / "release", Path(__file__).parent, ROOT / "target" / "bench" / "encode.json"

# `mmfnd encode` asks glibc for them; so that the bare session has them too.
LARGE_PAGES = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1"


def call(*command):
    """Seconds and standard output of a program that has to succeed."""
    started = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    out, complaints = process.communicate()
    if process.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{complaints[-2000:]}")
    return time.perf_counter() - started, out


def mmfnd(*arguments):
    return call(BIN / "mmfnd", *arguments)


class Work:
    """The posts that are encoded, and a place for stores."""

    def __init__(self, data, folder):
        self.data, self.folder, self.stores = data, folder, 0

    def posts(self, dataset="twitter"):
        whole = self.folder / dataset
        if not whole.exists():
            mmfnd("import", dataset, self.data / {"twitter": "twitter_mediaeval", "weibo": "weibo"}[dataset], "--out", whole)
        return whole / "posts.parquet"

    def sample(self, texts, pictures=None):
        """Posts drawn at random; with `pictures`, so many posts, each with one picture that no other has."""
        path = self.folder / "twitter" / f"sample-{texts}-{pictures}.parquet"
        if not path.exists():
            table = parquet.read_table(self.posts())
            order = np.random.default_rng(1).permutation(len(table)).tolist()
            if pictures is None:
                chosen = order[:texts]
            else:
                seen, images = set(), table["images"].to_pylist()
                content = lambda i: hashlib.sha256((path.parent / images[i][0]).read_bytes()).digest()
                chosen = [i for i in order if len(images[i]) == 1 and not ((key := content(i)) in seen or seen.add(key))][:pictures]
            parquet.write_table(table.take(chosen), path)
        return path

    def tenth(self):
        """A tenth of the texts, drawn by their digest, with all posts that have them: texts repeat in it as they do in the whole."""
        path = self.folder / "twitter" / "tenth.parquet"
        table = parquet.read_table(self.posts())
        drawn = [i for i, text in enumerate(table["text"].to_pylist()) if hashlib.sha256(text.encode()).digest()[0] % 10 == 0]
        parquet.write_table(table.take(drawn), path)
        return path, len(drawn)

    def encode(self, posts, preset, *options):
        """Encodes into a new store; the seconds of the whole program and the seconds and contents of each stage."""
        self.stores += 1
        seconds, out = mmfnd("encode", "--posts", posts, "--preset", preset, "--store", self.folder / f"store-{self.stores}", *options)
        return seconds, stages(out)


def stages(out):
    """Encoder by encoder: contents that were encoded, share of padding, seconds of its stage."""
    rows = re.findall(r"^(bert|clip_text|clip_image|resnet) +\d+ +(\d+) +\d+ +\d+ +(-|[\d.]+ %) +([\d.]+)$", out, re.MULTILINE)
    return {name: {"contents": int(encoded), "padding": None if padding == "-" else float(padding[:-2]) / 100, "seconds": float(seconds)} for name, encoded, padding, seconds in rows}


def versus(ours, theirs, **more):
    return {"ours": round(ours, 3), "theirs": round(theirs, 3), "ratio": round(theirs / ours, 3), **more}


def released_recipe(work):
    """Milliseconds for each post's text, BERT: our whole program on a tenth of the texts, its start and the loading of the model included; their encoding alone, of 160 posts (its cost does not depend on the text)."""
    tenth, count = work.tenth()
    ours, _ = work.encode(tenth, "twitter", "--only", "bert")
    theirs = json.loads(call(sys.executable, HERE / "recipe.py", tenth, "twitter", 160)[1])
    return versus(1000 * ours / count, 1000 * theirs["seconds"] / theirs["texts"], unit="ms for each post")


def tuned_python(work, rounds=1):
    """Seconds of the whole program, from posts.parquet and picture files to Parquet: four encoders, 440 posts with a picture each."""
    posts = work.sample(0, 440)
    ours, theirs = [], []
    for number in range(rounds):
        ours.append(work.encode(posts, "twitter")[0])
        theirs.append(call(sys.executable, HERE / "tuned.py", posts, "twitter", work.folder / f"tuned-{number}.parquet")[0])
    return versus(statistics.median(ours), statistics.median(theirs), unit="seconds", rounds=rounds)


def bare_session(work, posts, names):
    """Seconds of the encoders' stages of `mmfnd encode`, against ONNX Runtime's sessions on the same batches in memory; `own_sessions` is the ratio to the sessions that `mmfnd encode` itself runs (products on
    the processor's tiles, where it has some), also on batches in memory: what reading, decoding, tokenising and writing cost."""
    _, found = work.encode(posts, "twitter", *(option for name in names for option in ["--only", name]))
    # Image encoders share a stage.
    ours = sum(found[name]["seconds"] for name in names) if names[0] != "clip_image" else found[names[0]]["seconds"]

    def bare(tiles):
        lines = call("/usr/bin/env", LARGE_PAGES, BIN / "examples" / "dump", "bare", "twitter", posts, ",".join(names), tiles)[1].splitlines()
        for line in map(json.loads, lines):
            if line["contents"] != found[line["encoder"]]["contents"]:
                sys.exit(f"the bare session ran {line['contents']} contents, not {found[line['encoder']]['contents']}")
        return sum(json.loads(line)["seconds"] for line in lines)

    return versus(ours, bare("plain"), unit="seconds", own_sessions=round(bare("tiles") / ours, 3))


def bare_session_text(work):
    """BERT and CLIP on 700 tweets."""
    return bare_session(work, work.sample(700), ["bert", "clip_text"])


def bare_session_image(work):
    """CLIP and ResNet on 200 pictures."""
    return bare_session(work, work.sample(0, 200), ["clip_image", "resnet"])


def int8(work):
    """Seconds of BERT's stage on 700 tweets, ONNX Runtime alone: int8 (ours) against fp32 (theirs); beside it the ratios of the other encoders, on 60 posts, and `to_tiles`, that to fp32 with products on tiles."""
    texts, posts = work.sample(700), work.sample(0, 60)
    one = lambda preset, *options: work.encode(texts, preset, "--only", "bert", *options)[1]["bert"]["seconds"]
    fast, exact, tiles = one("twitter-int8"), one("twitter", "--no-tiles"), one("twitter")
    others = {}
    for name in ["clip_text", "clip_image", "resnet"]:
        seconds = [work.encode(posts, *preset, "--only", name)[1][name]["seconds"] for preset in [["twitter-int8"], ["twitter", "--no-tiles"]]]
        others[name] = round(seconds[1] / seconds[0], 3)
    return versus(fast, exact, unit="seconds", other_encoders=others, to_tiles=round(tiles / fast, 3))


NAMES = ["bert", "clip_text", "clip_image", "resnet"]


def alone(work, how):
    """Seconds of each encoder on 300 tweets or 60 pictures, batches in memory."""
    seconds = {}
    for posts, names in [(work.sample(300), NAMES[:2]), (work.sample(0, 60), NAMES[2:])]:
        lines = call("/usr/bin/env", LARGE_PAGES, BIN / "examples" / "dump", "bare", "twitter", posts, ",".join(names), how)[1].splitlines()
        seconds |= {line["encoder"]: line["seconds"] for line in map(json.loads, lines)}
    return seconds


def each(ours, theirs):
    return {name: round(theirs[name] / ours[name], 3) for name in NAMES}


def bf16(work):
    """Seconds of the four encoders alone: bf16 against ONNX Runtime's sessions in fp32, with the ratio of each; `to_tiles` is that to fp32 with products on tiles."""
    ours, plain, tiles = alone(work, "bf16"), alone(work, "plain"), alone(work, "tiles")
    return versus(sum(ours.values()), sum(plain.values()), unit="seconds", encoders=each(ours, plain), to_tiles=round(sum(tiles.values()) / sum(ours.values()), 3))


def openvino_bf16(work):
    """The same against OpenVINO in bf16 (the package openvino), on the batches of `tuned.py`."""
    ours, theirs = alone(work, "bf16"), {}
    for posts, names in [(work.sample(300), NAMES[:2]), (work.sample(0, 60), NAMES[2:])]:
        only = [option for name in names for option in ["--only", name]]
        theirs |= json.loads(call(sys.executable, HERE / "tuned.py", posts, "twitter", work.folder / "openvino.parquet", "--openvino", "bf16", *only)[1])
    return versus(sum(ours.values()), sum(theirs.values()), unit="seconds", encoders=each(ours, theirs))


def int8_head(work):
    """What int8 does to features and to a trained head: `quantised.py`."""
    with tempfile.TemporaryDirectory(dir=work.folder) as folder:
        return quantised.compare(mmfnd, Path(folder))


def padding(work, dataset):
    """Share of real tokens among computed ones, BERT and CLIP together, in the batches of the whole dataset."""
    found = call(BIN / "examples" / "dump", "padding", dataset, work.posts(dataset))[1]
    real, computed = map(sum, zip(*[(line["tokens"], line["computed"]) for line in map(json.loads, found.splitlines())]))
    return round(real / computed, 4)


def peak(work, count):
    """Peak memory in MB of encoding so many synthetic posts, each with a text of its own and one of 100 pictures, with the demo's encoders."""
    folder = work.folder / f"synthetic-{count}"
    call(sys.executable, HERE / "synthetic.py", count, folder)
    mmfnd("import", "manifest", folder / "posts.csv", "--out", folder / "imported")
    # A program of its own, so that the memory of no other child is taken for this one's.
    watch = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    out = call(sys.executable, "-c", watch, BIN / "mmfnd", "encode", "--posts", folder / "imported" / "posts.parquet", "--preset", "demo", "--store", folder / "store")[1]
    return round(int(out) / 1024)


PARTS = {
    "released_recipe": released_recipe,
    "tuned_python": tuned_python,
    "bare_session_text": bare_session_text,
    "bare_session_image": bare_session_image,
    "int8": int8,
    "bf16": bf16,
    "openvino_bf16": openvino_bf16,
    "int8_head": int8_head,
    "padding_twitter": lambda work: padding(work, "twitter"),
    "padding_weibo": lambda work: padding(work, "weibo"),
    "peak_mb_10k": lambda work: peak(work, 10_000),
    "peak_mb_1m": lambda work: peak(work, 1_000_000),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with twitter_mediaeval and weibo")
    parser.add_argument("--bin", type=Path, default=BIN, help="folder of the release build")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part; may be given several times")
    args = parser.parse_args()
    globals()["BIN"] = args.bin.resolve()
    found = json.loads(OUT.read_text()) if OUT.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        work = Work(args.data.resolve(), Path(folder))
        # What this processor has no instructions for is measured where it is asked for by name.
        has_bf16 = any(name in Path("/proc/cpuinfo").read_text() for name in ["avx512_bf16", "amx_bf16"])
        for name in args.part or [name for name in PARTS if has_bf16 or "bf16" not in name]:
            found[name] = PARTS[name](work)
            print(name, found[name], file=sys.stderr, flush=True)
            OUT.parent.mkdir(parents=True, exist_ok=True)
            partial = OUT.with_suffix(".partial")
            partial.write_text(json.dumps({key: found[key] for key in PARTS if key in found}, indent=2) + "\n")
            partial.replace(OUT)
    for name in PARTS:
        if isinstance(value := found.get(name), dict) and "ratio" in value:
            print(f"{name:20} ours {value['ours']:>9}  theirs {value['theirs']:>9}  ratio {value['ratio']:>7}   {value['unit']}")
        elif value is not None:
            print(f"{name:20} {value}")


if __name__ == "__main__":
    main()

"""Stage 1 as a careful Python user writes it: onnxruntime on the same ONNX files, from posts.parquet to one Parquet file of features.

Distinct texts and pictures once; texts tokenised in one call of the fast tokenizer, sorted by length, padded to the longest of their batch; pictures decoded once with Pillow for both encoders, ahead of
inference on as many threads as there are cores; all cores for every operator; the batch sizes that were fastest (`--texts`, `--pictures`).
With `--openvino PRECISION` (f32, bf16) OpenVINO runs the models, in that precision, instead of onnxruntime (needs the package openvino).

    python3 tests/speed/tuned.py POSTS PRESET OUT.parquet [--only ENCODER]… [--openvino PRECISION]

Prints the seconds of each encoder's inference as a line of JSON: what its model ran, not preparing its inputs nor opening it.
"""

import argparse
import json
import time
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as parquet
from PIL import Image
from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parents[2]


OPENVINO = None  # its precision, where it is to run the models
SECONDS = Counter()


class Openvino:
    """A model as onnxruntime's session has it."""

    def __init__(self, path, threads):
        import openvino

        settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": OPENVINO, "PERFORMANCE_HINT": "LATENCY"}
        self.model = openvino.Core().compile_model(path, "CPU", settings)

    def get_inputs(self):
        return [type("Input", (), {"name": given.any_name}) for given in self.model.inputs]

    def run(self, outputs, inputs):
        found = self.model(inputs)
        return [np.array(found[name]) for name in outputs]


def session(encoder, threads):
    if OPENVINO:
        return Openvino(ROOT / "models" / "presets" / encoder["model"], threads)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(ROOT / "models" / "presets" / encoder["model"], options, providers=["CPUExecutionProvider"])


def run(encoder, model, inputs):
    """The output of a batch; its time counts."""
    started = time.perf_counter()
    found = model.run([encoder["output"]], inputs)[0]
    SECONDS[encoder["name"]] += time.perf_counter() - started
    return found


def encode_texts(encoder, texts, threads, size):
    tokenizer = Tokenizer.from_file(str(ROOT / "models" / "presets" / encoder["tokenizer"]))
    tokenizer.enable_truncation(encoder["max_length"])
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
    model, rows = session(encoder, threads), [None] * len(ids)
    names = {given.name for given in model.get_inputs()}
    for start in range(0, len(order), size):
        part = order[start : start + size]
        longest = len(ids[part[0]])
        values = np.zeros((len(part), longest), np.int64)
        mask = np.zeros_like(values)
        for row, i in enumerate(part):
            values[row, : len(ids[i])], mask[row, : len(ids[i])] = ids[i], 1
        inputs = {"input_ids": values, "attention_mask": mask, "token_type_ids": np.zeros_like(values)}
        found = run(encoder, model, {name: inputs[name] for name in names})
        for row, i in enumerate(part):
            rows[i] = found[row].ravel()
    return rows


def pixels(image, rule):
    filter = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}[rule["filter"]]
    size, crop = rule["resize"], rule.get("crop")
    if "shortest" in size:
        short, long = sorted(image.size)
        scaled = int(size["shortest"] * long / short)
        target = (size["shortest"], scaled) if image.width <= image.height else (scaled, size["shortest"])
    else:
        target = (size["width"], size["height"])
    image = image.resize(target, filter)
    if crop:
        left, top = (image.width - crop) // 2, (image.height - crop) // 2
        image = image.crop((left, top, left + crop, top + crop))
    values = np.asarray(image, np.float32) / np.float32(255)
    return ((values - np.array(rule["mean"], np.float32)) / np.array(rule["std"], np.float32)).transpose(2, 0, 1)


def encode_pictures(encoders, paths, threads, size):
    models = [session(encoder, threads) for encoder in encoders]
    rows = [[] for _ in encoders]

    def prepare(path):
        image = Image.open(path).convert("RGB")
        return [pixels(image, encoder["image"]) for encoder in encoders]

    with ThreadPoolExecutor(threads) as pool:
        waiting, ahead = [], 4 * size
        for start in range(0, len(paths) + ahead, size):
            waiting += [pool.submit(prepare, path) for path in paths[start : start + size]]
            if start >= ahead - size or start >= len(paths):
                batch, waiting = [future.result() for future in waiting[:size]], waiting[size:]
                for number, (encoder, model) in enumerate(zip(encoders, models)):
                    if batch:
                        rows[number] += list(run(encoder, model, {"pixel_values": np.stack([one[number] for one in batch])}))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("posts", type=Path)
    parser.add_argument("preset")
    parser.add_argument("out", type=Path)
    parser.add_argument("--threads", type=int, default=len(__import__("os").sched_getaffinity(0)))
    parser.add_argument("--texts", type=int, default=32)
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--only", action="append", help="only this encoder; may be given several times")
    parser.add_argument("--openvino", choices=["f32", "bf16"], help="OpenVINO in this precision instead of onnxruntime")
    args = parser.parse_args()
    globals()["OPENVINO"] = args.openvino
    with open(ROOT / "models" / "presets" / f"{args.preset}.toml", "rb") as file:
        encoders = [encoder for encoder in tomllib.load(file)["encoder"] if not args.only or encoder["name"] in args.only]
    posts = parquet.read_table(args.posts, columns=["post_id", "text", "images"]).to_pydict()
    posts["images"] = [[str(args.posts.parent / image) for image in images] for images in posts["images"]]
    texts = list(dict.fromkeys(posts["text"]))
    # Their digest is what `mmfnd` tells pictures apart by; here every post of the work has a picture of its own or shares the path.
    paths = list(dict.fromkeys(images[0] for images in posts["images"]))
    columns = {"post_id": pa.array(posts["post_id"])}

    def add(encoder, contents, rows, wanted):
        place = {content: i for i, content in enumerate(contents)}
        stacked = np.stack([rows[place[content]] for content in wanted]).astype(np.float16)
        columns[encoder["name"]] = pa.FixedSizeListArray.from_arrays(pa.array(stacked.ravel()), stacked.shape[1])

    for encoder in encoders:
        if encoder["input"] != "image":
            add(encoder, texts, encode_texts(encoder, texts, args.threads, args.texts), posts["text"])
    images = [encoder for encoder in encoders if encoder["input"] == "image"]
    if images:
        for encoder, rows in zip(images, encode_pictures(images, paths, args.threads, args.pictures)):
            add(encoder, paths, rows, [images[0] for images in posts["images"]])
    parquet.write_table(pa.table(columns), args.out, compression="none")
    print(json.dumps(SECONDS))


if __name__ == "__main__":
    main()

"""Trains the demo encoders on unlabelled scenes of the demo world, under seeds that the demo itself does not use.

    cargo build --release
    python3 -m pip install -r models/demo/requirements.txt
    python3 models/demo/train.py

Minutes on two cores. No label is seen: BERT learns masked words, which words a text has and which it ends with, ResNet the facts of a picture and whether a piece was pasted in
(pasted here, from another picture of the batch), CLIP which text goes with which picture. Writes *.onnx, *.tokenizer.json, resnet.classifier.safetensors, resnet.safetensors
beside this file, each export compared with PyTorch, and models/presets/demo.toml with every checksum.
"""

import argparse
import collections
import copy
import hashlib
import json
import math
import random
import subprocess
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch.nn import functional as F

from backbone import third_layer, write_backbone
from networks import Bert, ClipImage, ClipText, ResNet

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OPSET = 17
SIDE, MEAN, STD = 64, [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]
BERT_LENGTH, CLIP_LENGTH, D_CLIP = 128, 64, 64
PAD, CLS, SEP, MASK = 0, 2, 3, 4
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
FACTS = {
    "place": ["sea", "desert", "meadow", "city", "mountains", "forest", "ice"],
    "time": ["day", "dusk", "night"],
    "weather": ["clear", "cloudy", "rain", "snow"],
    "kind": ["house", "car", "boat", "balloon", "tower", "tent", "bus", "flag"],
    "colour": ["red", "orange", "yellow", "green", "blue", "purple", "white"],
}


def scenes(program, seed, count):
    """Facts and pictures of unlabelled scenes."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "world", "--unlabelled", "--seed", str(seed), "--posts", str(count), "--out", folder], check=True)
        facts = [json.loads(line) for line in (Path(folder) / "facts.jsonl").read_text(encoding="utf-8").splitlines()]
        pixels = np.stack([load(Path(folder) / fact["image"]) for fact in facts])
    return facts, torch.from_numpy(pixels)


def load(path):
    """A picture as the preset prepares it, before normalisation, (3, SIDE, SIDE)."""
    picture = Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(picture).transpose(2, 0, 1).copy()


def normalised(pixels):
    return ((pixels.float() / 255 - MEAN[0]) / STD[0]).contiguous(memory_format=torch.channels_last)


# Tokenizer


def byte_letters():
    """The letters that stand for bytes in a byte-level tokenizer."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    return [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]


def make_tokenizer(texts):
    """WordPiece over byte letters: frequent words are one piece, any other text is spelled, nothing is unknown."""
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]", max_input_chars_per_word=200))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    # Words are cut after 24 letters: WordPiece takes time with the square of a word's length.
    cut = pre_tokenizers.Split(Regex(r".{1,24}"), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), cut, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    counts = collections.Counter()
    for text in texts:
        counts.update({word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))})
    letters = byte_letters()
    # Names of towns are rarer than this and are spelled, as names in a new split will be.
    frequent = sorted(word for word, count in counts.items() if count >= 0.004 * len(texts) and len(word) > 1)
    words = SPECIAL + letters + ["##" + letter for letter in letters] + frequent
    tokenizer.model = models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]", max_input_chars_per_word=200)
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)])
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


def padded(rows, length):
    """Token ids and mask, (B, T) each."""
    rows = [row if len(row) <= length else row[: length - 1] + [SEP] for row in rows]
    ids = torch.full((len(rows), max(map(len, rows))), PAD)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    return ids, (ids != PAD).long()


# Training


def batches(count, size, epochs, generator):
    """Index batches of nearly `size`, shuffled anew each epoch."""
    for _ in range(epochs):
        yield from (batch for batch in torch.randperm(count, generator=generator).split(size) if len(batch) == size)


def fit(name, parameters, steps, losses, rate):
    """AdamW with a short warm-up and a cosine; `losses` yields one loss per step."""
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(1, (s + 1) / 60) * (0.5 + 0.5 * math.cos(math.pi * min(1, s / steps))))
    start, mean = time.time(), None
    for step, loss in enumerate(losses):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item()
        if step % 100 == 99 or step == steps - 1:
            print(f"{name:8} step {step + 1:5}/{steps}  loss {mean:.4f}  {time.time() - start:5.0f} s", flush=True)


class Bag(torch.nn.Module):
    """Which of all words are there, said by a state. A rare word counts as much as a frequent one: each by its deviation; to know nothing but frequencies costs about log 2."""

    def __init__(self, width, vocabulary, rows):
        super().__init__()
        self.guess = torch.nn.Linear(width, vocabulary)
        counts = torch.zeros(vocabulary)
        for row in rows:
            counts[list(set(row))] += 1
        share = (counts / len(rows)).clamp(1 / len(rows), 0.99)
        variance = share * (1 - share)
        weights = torch.where(counts > 0, variance.rsqrt(), 0.0)
        self.register_buffer("weights", math.log(2) * weights / (2 * weights * variance).sum())

    def forward(self, states, rows):
        """`states` of all layers, (B, D) each; `rows` of ids, a list for each state of a layer."""
        there = torch.zeros(len(rows), len(self.weights))
        for row, ids in zip(there, rows):
            row[ids] = 1
        losses = [F.binary_cross_entropy_with_logits(self.guess(state), there, reduction="none") for state in states]
        return sum((loss * self.weights).sum(1).mean() for loss in losses) / len(states)


def train_bert(rows, vocabulary, epochs, seed):
    """Masked words, and from `[CLS]` of each layer the words that the text has and those that it ends with. Runs in a process of its own."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    bert, size = Bert(vocabulary, BERT_LENGTH), 64
    ends = [row[-5:] for row in rows]
    word, bag, end = torch.nn.Linear(bert.width, vocabulary), Bag(bert.width, vocabulary, rows), Bag(bert.width, vocabulary, ends)

    def losses():
        for batch in batches(len(rows), size, epochs, generator):
            ids, mask = padded([rows[i] for i in batch], BERT_LENGTH)
            hidden = (torch.rand(ids.shape, generator=generator) < 0.15) & (ids > MASK)
            states = bert.transformer(ids.masked_fill(hidden, MASK), mask)
            firsts = [state[:, 0] for state in states[1:]]
            bags = bag(firsts, [rows[i] for i in batch]) + end(firsts, [ends[i] for i in batch])
            yield F.cross_entropy(word(states[-1][hidden]), ids[hidden]) + 3 * bags

    parameters = [*bert.parameters(), *word.parameters(), *bag.parameters(), *end.parameters()]
    fit("bert", parameters, len(rows) // size * epochs, losses(), 2e-3)
    return bert


def attributes(facts):
    """What a picture shows: one column per fact, then one per coloured kind, (N, 29 + 56)."""
    kinds, colours = FACTS["kind"], FACTS["colour"]
    names = [v for values in FACTS.values() for v in values] + [f"{c} {k}" for k in kinds for c in colours]
    table = torch.zeros(len(facts), len(names))
    for row, fact in zip(table, facts):
        scene = fact["scene"]
        shown = [scene["place"], scene["time"], scene["weather"]]
        for group in scene["groups"]:
            shown += [group["kind"], group["colour"], f"{group['colour']} {group['kind']}"]
        row[[names.index(name) for name in shown]] = 1
    return table


def paste(pixels, generator):
    """Pastes a piece of another picture into the first half of the pictures; says whether, and into which of 3 x 3 fields, (B, 1 + 9)."""
    half = len(pixels) // 2
    u = lambda low, high: torch.rand(half, 1, 1, generator=generator) * (high - low) + low
    y, x = torch.meshgrid(torch.linspace(0, 1, SIDE), torch.linspace(0, 1, SIDE), indexing="ij")
    y0, x0 = u(0.2, 0.8), u(0.15, 0.85)
    dy = y - y0
    dx = x - x0 + u(-0.3, 0.3) * dy
    height, width = u(0.12, 0.26), u(0.12, 0.26)
    box = (dy.abs() < height) & (dx.abs() < width)
    disc = (dy / height) ** 2 + (dx / width) ** 2 < 1
    piece = torch.where(u(0, 1) < 0.25, disc, box)
    shift = torch.randint(-SIDE // 4, SIDE // 4, (1,), generator=generator).item()
    gain = torch.where(u(0, 1) < 0.5, u(0.5, 0.85), u(1.15, 1.5))
    other = (pixels[half : 2 * half].roll(shift, dims=-1) * gain[:, None]).clamp(max=255)
    pasted = torch.where(piece[:, None], other, pixels[:half])
    where = torch.zeros(len(pixels), 10)
    where[:half, 0] = 1
    where[torch.arange(half), 1 + 3 * (3 * y0).long().flatten() + (3 * x0).long().flatten()] = 1
    return torch.cat([pasted, pixels[half:]]), where


def train_resnet(pixels, targets, epochs, generator):
    """Facts of the picture, and whether and where a piece was pasted in; the last layer is the classifier, without the coloured kinds."""
    resnet, size, facts = ResNet().to(memory_format=torch.channels_last), 64, sum(map(len, FACTS.values()))
    classifier, coloured = torch.nn.Linear(resnet.width, facts + 10), torch.nn.Linear(resnet.width, targets.shape[1] - facts)

    def losses():
        for batch in batches(len(pixels), size, epochs, generator):
            seen, pasted = paste(pixels[batch].float(), generator)
            pooled = resnet(normalised(seen))
            logits = classifier(pooled)
            shown = torch.cat([logits[:, :facts], coloured(pooled)], dim=1)
            loss = 10 * F.binary_cross_entropy_with_logits(shown, targets[batch]) + 3 * F.binary_cross_entropy_with_logits(logits[:, facts], pasted[:, 0])
            yield loss + 3 * F.binary_cross_entropy_with_logits(logits[:, facts + 1 :], pasted[:, 1:])

    parameters = [*resnet.parameters(), *classifier.parameters(), *coloured.parameters()]
    fit("resnet", parameters, len(pixels) // size * epochs, losses(), 3e-3)
    return resnet, classifier


def train_clip(pixels, rows, vocabulary, resnet, epochs, generator):
    """Contrastive; the image tower starts as a copy of the ResNet, both end on their own."""
    image, text, size = ClipImage(copy.deepcopy(resnet), D_CLIP), ClipText(vocabulary, CLIP_LENGTH, D_CLIP), 128
    scale = torch.nn.Parameter(torch.tensor(math.log(10.0)))

    def losses():
        for batch in batches(len(pixels), size, epochs, generator):
            ids, mask = padded([rows[i] for i in batch], CLIP_LENGTH)
            v, t = F.normalize(image(normalised(pixels[batch])), dim=1), F.normalize(text(ids, mask), dim=1)
            logits = scale.exp().clamp(max=50) * t @ v.T
            same = torch.arange(size)
            yield (F.cross_entropy(logits, same) + F.cross_entropy(logits.T, same)) / 2

    fit("clip", [*image.parameters(), *text.parameters(), scale], len(pixels) // size * epochs, losses(), 2e-3)
    return text, image


# Export


def export(module, inputs, output, dynamic, other):
    """Writes the ONNX file and compares it with PyTorch on another batch size and length than it was traced with."""
    path = HERE / f"{output[0]}.onnx"
    module.eval()
    torch.onnx.export(module, tuple(inputs.values()), str(path), input_names=list(inputs), output_names=[output[1]], dynamic_axes=dynamic, opset_version=OPSET, dynamo=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = module(*other.values()).numpy()
    found = session.run([output[1]], {name: value.numpy() for name, value in other.items()})[0]
    largest = np.abs(found - expected).max()
    print(f"{path.name:16} {path.stat().st_size / 1e6:6.2f} MB   largest difference to PyTorch {largest:.1e}")
    if not np.allclose(found, expected, rtol=1e-3, atol=1e-4):
        raise SystemExit(f"{path}: the export differs from PyTorch")


def export_all(bert, text, image, resnet, tokenizer):
    tokens = lambda texts: dict(zip(["input_ids", "attention_mask"], padded([tokenizer.encode(t).ids for t in texts], CLIP_LENGTH)))
    few, more = tokens(["A red house.", "Two boats at sea."]), tokens(["", "Three blue tents in the desert at night!", "A flag"])
    axes = {0: "batch", 1: "tokens"}
    for module, output in [(bert, ("bert", "cls_layers")), (text, ("clip_text", "text_embeds"))]:
        export(module, few, output, {"input_ids": axes, "attention_mask": axes, output[1]: {0: "batch"}}, more)
    few, more = ({"pixel_values": torch.randn(n, 3, SIDE, SIDE)} for n in (2, 3))
    for module, output in [(image, ("clip_image", "image_embeds")), (resnet, ("resnet", "pooled"))]:
        export(module, few, output, {"pixel_values": {0: "batch"}, output[1]: {0: "batch"}}, more)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def toml_value(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {toml_value(v)}" for k, v in value.items()) + " }"
    return json.dumps(value)


def last_states(path):
    """The value in a BERT's graph that `[CLS]` of its last layer is taken from: the states of all tokens."""
    nodes = {output: node for node in onnx.load(path).graph.node for output in node.output}
    value = nodes["cls_layers"].input[-1]
    while nodes[value].op_type != "Gather":
        value = nodes[value].input[0]
    return nodes[value].input[0]


def write_preset(bert, resnet):
    """models/presets/demo.toml with the checksums of what was exported."""

    def entry(name, given, output, shape, **more):
        return {"name": name, "input": given, "model": f"../demo/{name}.onnx", "sha256": sha256(HERE / f"{name}.onnx"), "output": output, "shape": shape, "precision": "f32", **more}

    def words(name, length):
        file = HERE / f"{name}.tokenizer.json"
        return {"tokenizer": f"../demo/{file.name}", "tokenizer_sha256": sha256(file), "max_length": length}

    classifier, backbone = HERE / "resnet.classifier.safetensors", HERE / "resnet.safetensors"
    trained = {"map": third_layer(HERE / "resnet.onnx"), "map_shape": [64, 4, 4], "backbone": f"../demo/{backbone.name}", "backbone_sha256": sha256(backbone)}
    image = {"resize": {"width": SIDE, "height": SIDE}, "filter": "bilinear", "mean": MEAN, "std": STD}
    entries = [
        entry("bert", "text+ocr", "cls_layers", [bert.layers + 1, bert.width], token_states=last_states(HERE / "bert.onnx"), **words("bert", BERT_LENGTH)),
        entry("clip_text", "text", "text_embeds", [D_CLIP], **words("clip_text", CLIP_LENGTH)),
        entry("clip_image", "image", "image_embeds", [D_CLIP], image=image),
        entry("resnet", "image", "pooled", [resnet.width], classifier=f"../demo/{classifier.name}", classifier_sha256=sha256(classifier), **trained, image=image),
    ]
    lines = ["# Written by models/demo/train.py; the checksums are those of the committed files.", 'name = "demo"', 'description = "tiny encoders trained on drawings of the demo world"']
    for table in entries:
        picture = table.pop("image", None)
        lines += ["", "[[encoder]]"] + [f"{k} = {toml_value(v)}" for k, v in table.items()]
        if picture:
            lines += ["[encoder.image]"] + [f"{k} = {toml_value(v)}" for k, v in picture.items()]
    path = HERE.parent / "presets" / "demo.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"wrote {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mmfnd", default=str(ROOT / "target" / "release" / "mmfnd"), help="the program that makes the scenes")
    parser.add_argument("--seed", type=int, default=1_000_001, help="of the scenes and of the training")
    parser.add_argument("--scenes", type=int, default=5000)
    parser.add_argument("--epochs", type=int, nargs=3, default=[6, 18, 9], metavar=("BERT", "RESNET", "CLIP"))
    args = parser.parse_args()
    start = time.time()
    torch.set_num_threads(1)  # networks this small lose more by waiting for each other's threads than they gain
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    facts, pixels = scenes(args.mmfnd, args.seed, args.scenes)
    print(f"{len(facts)} scenes  {time.time() - start:.0f} s", flush=True)
    choose = random.Random(args.seed)
    # As with text recognition: for BERT the picture's text follows where there is any, though not always.
    texts = [f["text"] + (" " + f["overlay"] if f["overlay"] and choose.random() < 0.7 else "") for f in facts]
    tokenizer = make_tokenizer(texts)
    for name in ["bert", "clip_text"]:
        tokenizer.save(str(HERE / f"{name}.tokenizer.json"))
    vocabulary = tokenizer.get_vocab_size()
    rows = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    plain = [encoding.ids for encoding in tokenizer.encode_batch([f["text"] for f in facts])]
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        bert = pool.submit(train_bert, rows, vocabulary, args.epochs[0], args.seed)
        resnet, classifier = train_resnet(pixels, attributes(facts), args.epochs[1], generator)
        text, image = train_clip(pixels, plain, vocabulary, resnet, args.epochs[2], generator)
        bert = bert.result()
    save_file({"weight": classifier.weight.detach().contiguous(), "bias": classifier.bias.detach().contiguous()}, str(HERE / "resnet.classifier.safetensors"))
    export_all(bert, text, image, resnet, tokenizer)
    write_backbone()
    write_preset(bert, resnet)
    print(f"{vocabulary} pieces, {time.time() - start:.0f} s in all")


if __name__ == "__main__":
    main()

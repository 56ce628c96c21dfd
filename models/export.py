"""Exports a preset's encoders to ONNX: from Hugging Face / torchvision checkpoints, or (--random-init) from the configurations alone.

    python3 -m pip install -r models/requirements.txt
    python3 models/export.py twitter                                   # downloads the checkpoints
    python3 models/export.py twitter --random-init --vocab VOCABULARIES  # full-size graphs, random weights: for parity and speed, not for results

Writes models/<preset>/{*.onnx, *.tokenizer.json, resnet.classifier.safetensors} and models/presets/<preset>.toml with every checksum; each export is compared with PyTorch first.
"""

import argparse
import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from safetensors.torch import save_file
from torch import nn
from transformers import (
    BertConfig, BertModel, BertTokenizerFast, ChineseCLIPConfig, ChineseCLIPModel, CLIPConfig, CLIPModel, CLIPTokenizerFast,
)

OPSET = 17
HERE = Path(__file__).resolve().parent
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


@dataclass
class Preset:
    """What is exported, under which names."""

    bert: str
    clip: str
    chinese: bool
    clip_tokens: int
    description: str


PRESETS = {
    "twitter": Preset("bert-base-uncased", "openai/clip-vit-base-patch32", False, 77, "bert-base-uncased, CLIP ViT-B/32, ResNet-101"),
    "weibo": Preset("hfl/chinese-roberta-wwm-ext", "OFA-Sys/chinese-clip-vit-base-patch16", True, 52, "chinese-roberta-wwm-ext, Chinese-CLIP ViT-B/16, ResNet-101"),
    "weibo-huge": Preset("hfl/chinese-roberta-wwm-ext", "OFA-Sys/chinese-clip-vit-huge-patch14", True, 52, "chinese-roberta-wwm-ext, Chinese-CLIP ViT-H/14, ResNet-101"),
}


class ClsLayers(nn.Module):
    """[CLS] of the embedding layer and of every layer, [B, L + 1, D]."""

    def __init__(self, bert):
        super().__init__()
        self.bert = bert

    def forward(self, input_ids, attention_mask, token_type_ids):
        out = self.bert(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids, output_hidden_states=True)
        return torch.stack([h[:, 0] for h in out.hidden_states], dim=1)


class ClipText(nn.Module):
    """The text tower with its projection, not normalised, [B, d_c]."""

    def __init__(self, clip):
        super().__init__()
        self.clip = clip

    def forward(self, input_ids, attention_mask):
        return embeds(self.clip.get_text_features(input_ids=input_ids, attention_mask=attention_mask))


class ClipImage(nn.Module):
    """The image tower with its projection, not normalised, [B, d_c]."""

    def __init__(self, clip):
        super().__init__()
        self.clip = clip

    def forward(self, pixel_values):
        return embeds(self.clip.get_image_features(pixel_values=pixel_values))


class ResNetPooled(nn.Module):
    """ResNet-101 without its last layer: the pooled feature [B, 2048] and the layer-3 map [B, 1024, 14, 14]."""

    def __init__(self, resnet):
        super().__init__()
        self.resnet = resnet

    def forward(self, pixel_values):
        r = self.resnet
        x = r.maxpool(r.relu(r.bn1(r.conv1(pixel_values))))
        layer3 = r.layer3(r.layer2(r.layer1(x)))
        return r.avgpool(r.layer4(layer3)).flatten(1), layer3


def embeds(out):
    """transformers 5 returns an output object here, transformers 4 the tensor."""
    return out if torch.is_tensor(out) else out.pooler_output


def build(preset, random_init, vocab):
    """BERT, CLIP and ResNet-101, in evaluation mode."""
    import torchvision

    eager = {"attn_implementation": "eager"}
    if not random_init:
        clip_class = ChineseCLIPModel if preset.chinese else CLIPModel
        bert = BertModel.from_pretrained(preset.bert, **eager)
        clip = clip_class.from_pretrained(preset.clip, **eager)
        resnet = torchvision.models.resnet101(weights="IMAGENET1K_V1")
    else:
        bert = BertModel._from_config(BertConfig(vocab_size=21128 if preset.chinese else 30522), **eager)
        clip = random_clip(preset, eager)
        resnet = torchvision.models.resnet101()
    return bert.eval(), clip.eval(), resnet.eval()


def random_clip(preset, eager):
    """The configurations of the published checkpoints, written out since the hub may be out of reach."""
    if not preset.chinese:
        return CLIPModel._from_config(CLIPConfig(), **eager)  # the class defaults are ViT-B/32
    huge = "huge" in preset.clip
    text = {"vocab_size": 21128, "hidden_size": 1024 if huge else 768, "num_hidden_layers": 24 if huge else 12, "num_attention_heads": 16 if huge else 12,
            "intermediate_size": 4096 if huge else 3072}
    vision = ({"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 16, "patch_size": 14, "projection_dim": 1024} if huge
              else {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12, "patch_size": 16, "projection_dim": 512})
    config = ChineseCLIPConfig(text_config=text, vision_config=vision, projection_dim=1024 if huge else 512)
    return ChineseCLIPModel._from_config(config, **eager)


def tokenizers(preset, random_init, vocab):
    """Fast tokenizers of BERT and CLIP."""
    if not random_init:
        clip_class = BertTokenizerFast if preset.chinese else CLIPTokenizerFast
        return BertTokenizerFast.from_pretrained(preset.bert), clip_class.from_pretrained(preset.clip)
    if vocab is None:
        raise SystemExit("--random-init needs --vocab DIR with bert-base-uncased_vocab.txt, bert-base-chinese_vocab.txt and bpe_simple_vocab_16e6.txt.gz")
    name = "bert-base-chinese_vocab.txt" if preset.chinese else "bert-base-uncased_vocab.txt"
    words = {w: i for i, w in enumerate((vocab / name).read_text(encoding="utf-8").splitlines())}
    bert = BertTokenizerFast(vocab=words, do_lower_case=True)
    return bert, bert if preset.chinese else clip_tokenizer(vocab / "bpe_simple_vocab_16e6.txt.gz")


def clip_tokenizer(path):
    """CLIP's byte-pair encoder from the merges that OpenAI published."""
    lines = gzip.open(path, "rt", encoding="utf-8").read().split("\n")
    merges = [tuple(line.split()) for line in lines[1 : 49152 - 256 - 2 + 1]]
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    alphabet = [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    words = alphabet + [c + "</w>" for c in alphabet] + ["".join(m) for m in merges] + ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizerFast(vocab={w: i for i, w in enumerate(words)}, merges=merges)


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def export(module, inputs, outputs, dynamic, path):
    """Writes the ONNX file and compares it with PyTorch on another batch size and length than it was traced with."""
    module.eval()
    torch.onnx.export(module, tuple(inputs.values()), str(path), input_names=list(inputs), output_names=outputs, dynamic_axes=dynamic, opset_version=OPSET, dynamo=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    other = {k: other_shape(v) for k, v in inputs.items()}
    with torch.inference_mode():
        expected = module(*other.values())
    expected = expected[0] if isinstance(expected, tuple) else expected
    found = session.run([outputs[0]], {k: v.numpy() for k, v in other.items()})[0]
    cosine = nn.functional.cosine_similarity(torch.from_numpy(found).flatten(1), expected.flatten(1)).min().item()
    largest = np.abs(found - expected.numpy()).max()
    print(f"{path.name:24} {path.stat().st_size / 2**20:8.1f} MiB   least cosine to PyTorch {cosine:.7f}, largest difference {largest:.1e}")
    if cosine < 0.99999:
        raise SystemExit(f"{path}: the export differs from PyTorch")


def other_shape(tensor):
    """Three rows where it was traced with two; texts half as long again."""
    if tensor.dim() == 4:
        return torch.rand(3, *tensor.shape[1:]) * 4 - 2
    longer = torch.cat([tensor, tensor[:, 1:9]], dim=1)
    return torch.cat([longer, longer[:1]]) if tensor.dim() == 2 else tensor


def derive(path, precision):
    """The float16 or dynamic int8 form of an exported model."""
    target = path.with_suffix(f".{precision}.onnx")
    if precision == "fp16":
        import onnx
        from onnxruntime.transformers.float16 import convert_float_to_float16

        onnx.save(convert_float_to_float16(onnx.load(path), keep_io_types=True), target)
    else:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(path, target, weight_type=QuantType.QInt8, per_channel=True)
    print(f"{target.name:24} {target.stat().st_size / 2**20:8.1f} MiB")


def toml_value(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {toml_value(v)}" for k, v in value.items()) + " }"
    return json.dumps(value)


def write_preset(name, preset, entries, precision):
    """models/presets/<name>.toml with the checksums of what was exported."""
    suffix = "" if precision == "fp32" else f"-{precision}"
    lines = ["# Written by models/export.py; the checksums are those of the exported files.", f'name = "{name}{suffix}"', f'description = "{preset.description} ({precision})"']
    for entry in entries:
        image = entry.pop("image", None)
        lines += ["", "[[encoder]]"] + [f"{k} = {toml_value(v)}" for k, v in entry.items()]
        if image:
            lines += ["[encoder.image]"] + [f"{k} = {toml_value(v)}" for k, v in image.items()]
    path = HERE / "presets" / f"{name}{suffix}.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"wrote {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", choices=PRESETS)
    parser.add_argument("--random-init", action="store_true", help="random weights from the configurations; nothing is downloaded")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--vocab", type=Path, help="folder with the vocabulary files, for --random-init")
    parser.add_argument("--precision", default="fp32", help="comma-separated: fp32, fp16, int8 (fp32 is always made)")
    args = parser.parse_args()
    preset, out = PRESETS[args.preset], HERE / args.preset
    precisions = ["fp32"] + [p for p in args.precision.split(",") if p != "fp32"]
    if unknown := set(precisions) - {"fp32", "fp16", "int8"}:
        parser.error(f"unknown precision {', '.join(sorted(unknown))}")
    out.mkdir(parents=True, exist_ok=True)
    (HERE / "presets").mkdir(exist_ok=True)
    torch.manual_seed(args.seed)
    bert, clip, resnet = build(preset, args.random_init, args.vocab)
    bert_tokenizer, clip_tok = tokenizers(preset, args.random_init, args.vocab)
    for name, tokenizer in [("bert", bert_tokenizer), ("clip_text", clip_tok)]:
        tokenizer.backend_tokenizer.no_padding()
        tokenizer.backend_tokenizer.no_truncation()
        tokenizer.backend_tokenizer.save(str(out / f"{name}.tokenizer.json"))
    export_all(bert, clip, resnet, bert_tokenizer, clip_tok, out)
    save_file({"weight": resnet.fc.weight.detach().contiguous(), "bias": resnet.fc.bias.detach().contiguous()}, str(out / "resnet.classifier.safetensors"))
    for precision in precisions:
        if precision != "fp32":
            for name in ["bert", "clip_text", "clip_image", "resnet"]:
                derive(out / f"{name}.onnx", precision)
        write_preset(args.preset, preset, entries(args.preset, preset, bert, clip, out, precision), precision)


def export_all(bert, clip, resnet, bert_tokenizer, clip_tok, out):
    text = {0: "batch", 1: "tokens"}
    ids = bert_tokenizer(["a first text", "a second, longer text for tracing"], return_tensors="pt", padding=True)
    inputs = {k: ids[k] for k in ["input_ids", "attention_mask", "token_type_ids"]}
    export(ClsLayers(bert), inputs, ["cls_layers"], {**{k: text for k in inputs}, "cls_layers": {0: "batch"}}, out / "bert.onnx")
    ids = clip_tok(["a first text", "a second, longer text for tracing"], return_tensors="pt", padding=True)
    inputs = {k: ids[k] for k in ["input_ids", "attention_mask"]}
    export(ClipText(clip), inputs, ["text_embeds"], {**{k: text for k in inputs}, "text_embeds": {0: "batch"}}, out / "clip_text.onnx")
    pixels = {"pixel_values": torch.rand(2, 3, 224, 224)}
    batch = {0: "batch"}
    export(ClipImage(clip), pixels, ["image_embeds"], {"pixel_values": batch, "image_embeds": batch}, out / "clip_image.onnx")
    export(ResNetPooled(resnet), pixels, ["pooled", "layer3"], {"pixel_values": batch, "pooled": batch, "layer3": batch}, out / "resnet.onnx")


def entries(name, preset, bert, clip, out, precision):
    """The preset's encoder tables."""
    model = lambda stem: f"{stem}.onnx" if precision == "fp32" else f"{stem}.{precision}.onnx"
    kind = {"fp32": "f32", "fp16": "f16", "int8": "int8"}[precision]
    dim, layers, width = clip.config.projection_dim, bert.config.num_hidden_layers + 1, bert.config.hidden_size
    clip_resize = {"width": 224, "height": 224} if preset.chinese else {"shortest": 224}

    def entry(feature, given, output, shape, **more):
        file = out / model(feature)
        return {"name": feature, "input": given, "model": f"../{name}/{file.name}", "sha256": sha256(file), "output": output, "shape": shape, "precision": kind, **more}

    def words(feature, max_length):
        file = out / f"{feature}.tokenizer.json"
        return {"tokenizer": f"../{name}/{file.name}", "tokenizer_sha256": sha256(file), "max_length": max_length}

    classifier = out / "resnet.classifier.safetensors"
    clip_image = {"resize": clip_resize, **({} if preset.chinese else {"crop": 224}), "filter": "bicubic", "mean": CLIP_MEAN, "std": CLIP_STD}
    return [
        entry("bert", "text+ocr", "cls_layers", [layers, width], **words("bert", 300)),
        entry("clip_text", "text", "text_embeds", [dim], **words("clip_text", preset.clip_tokens)),
        entry("clip_image", "image", "image_embeds", [dim], image=clip_image),
        entry("resnet", "image", "pooled", [2048], classifier=f"../{name}/{classifier.name}", classifier_sha256=sha256(classifier),
              image={"resize": {"shortest": 256}, "crop": 224, "crop_offset": "round", "filter": "bilinear", "mean": IMAGENET_MEAN, "std": IMAGENET_STD}),
    ]


if __name__ == "__main__":
    main()

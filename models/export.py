"""Exports a preset's encoders to ONNX: from Hugging Face / torchvision checkpoints, or (--random-init) from the configurations alone.

    python3 -m pip install -r models/requirements.txt
    python3 models/export.py twitter --calibrate PICTURES                # downloads the checkpoints
    python3 models/export.py twitter --random-init --vocab VOCABULARIES  # full-size graphs, random weights: for parity and speed, not for results

Writes models/PRESET/ (*.onnx in fp32, fp16 and int8, *.tokenizer.json, *.classifier.safetensors, resnet.safetensors, manifest.json) and models/presets/PRESET[-fp16|-int8].toml with every checksum.
Every ONNX file is compared with the untouched PyTorch model before it is kept.

--faithful adds what heads read with `head.inputs = "faithful"` (docs/heads.md): `vgg`, VGG-19 with its last layer beside it, and `ela`, the preset's ResNet over error levels.

In int8 a ResNet or VGG needs to know how large its activations become: --calibrate names a folder with pictures of the kind that will be encoded. Without it, the int8 preset has them in fp32.
"""

import argparse
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import save_file

import convert
from checkpoints import PRESETS, VOCABULARIES, build, build_vgg, drawings, photographs, save_tokenizer, tokenizers
from towers import BertLayers, ChineseClipText, ClipImage, ClipText, ResNetPooled, VggHidden

HERE = Path(__file__).resolve().parent
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
# Networks of convolutions; pictures that give their ranges in int8, and that they are compared on.
CONVOLUTIONAL = ["resnet", "vgg"]
CALIBRATED, HELD_OUT = 64, 3
TRACED = ["a first text", "a second, longer text for tracing"]
# Other numbers of rows and other lengths than the traced ones, so that a size that became a constant shows.
COMPARED = ["Flood in the city!", "谣言 and a longer text, that fills more than one row of any table with #tags and https://t.co/x " * 3, "short", ""]


@dataclass
class Export:
    """One encoder: what is exported, and what it is compared with."""

    name: str
    module: torch.nn.Module
    # The untouched model: inputs by name to outputs by name.
    reference: object
    traced: dict
    compared: dict
    outputs: list


def exports(preset, models, toks, token_states, photos):
    """The encoders of a preset that have a file of their own; `photos` are pictures for those of convolutions, or None."""
    (bert, clip, resnet, vgg), (bert_tokenizer, clip_tokenizer) = models, toks
    words = lambda tokenizer, texts: dict(tokenizer(texts, return_tensors="pt", padding=True, truncation=True, max_length=preset.clip_tokens))
    pixels = lambda rows: {"pixel_values": drawings(rows)}
    held_out = lambda: pixels(3) if photos is None else {"pixel_values": photos[-HELD_OUT:]}

    def bert_reference(**inputs):
        found = bert(**inputs, output_hidden_states=True)
        layers = torch.stack([states[:, 0] for states in found.hidden_states], dim=1)
        return [layers, found.last_hidden_state] if token_states else [layers]

    def text_reference(**inputs):
        # The end of text alone is kept, so CLIP's export needs no mask; the reference is given one all the same.
        return [embeds(clip.get_text_features(**inputs))]

    def image_reference(pixel_values):
        return [embeds(clip.get_image_features(pixel_values=pixel_values))]

    def resnet_reference(pixel_values):
        maps = {}
        keep = lambda name: lambda _module, _inputs, output: maps.update({name: output})
        hooks = [resnet.layer3.register_forward_hook(keep("layer3")), resnet.avgpool.register_forward_hook(keep("pooled"))]
        resnet(pixel_values)
        [hook.remove() for hook in hooks]
        return [maps["pooled"].flatten(1), maps["layer3"]]

    def vgg_reference(pixel_values):
        found = []
        hook = vgg.classifier[3].register_forward_hook(lambda _module, _inputs, output: found.append(output.clone()))  # the ReLU behind it works in place
        vgg(pixel_values)
        hook.remove()
        return found

    clip_text = ChineseClipText(clip) if preset.chinese else ClipText(clip)
    faithful = [] if vgg is None else [Export("vgg", VggHidden(vgg), vgg_reference, pixels(2), held_out(), ["hidden"])]
    return [
        Export("bert", BertLayers(bert, token_states), bert_reference, words(bert_tokenizer, TRACED), words(bert_tokenizer, COMPARED), ["cls_layers"] + ["token_states"] * token_states),
        Export("clip_text", clip_text, text_reference, words(clip_tokenizer, TRACED), words(clip_tokenizer, COMPARED), ["text_embeds"]),
        Export("clip_image", ClipImage(clip), image_reference, pixels(2), pixels(3), ["image_embeds"]),
        Export("resnet", ResNetPooled(resnet), resnet_reference, pixels(2), held_out(), ["pooled", "layer3"]),
        *faithful,
    ]


def embeds(out):
    """transformers 5 returns an output object here, transformers 4 the tensor."""
    return out if torch.is_tensor(out) else out.pooler_output


def write_models(one, precisions, out, photos):
    """An encoder's files; what comparing them gave, by file."""
    axes = lambda tensors: {name: {0: "batch", 1: "tokens"} if tensors[name].dim() == 2 else {0: "batch"} for name in tensors}
    needed = one.module.forward.__code__.co_varnames[1 : one.module.forward.__code__.co_argcount]
    traced = {name: one.traced[name] for name in needed}
    dynamic = {**axes(traced), **{name: {0: "batch", 1: "tokens"} if name == "token_states" else {0: "batch"} for name in one.outputs}}
    with torch.inference_mode():
        expected = dict(zip(one.outputs, one.reference(**one.compared)))
    compared = {name: one.compared[name] for name in needed}
    distances = {}
    for precision in precisions:
        path = out / model_name(one.name, precision)
        if precision == "fp32":
            convert.export(one.module, traced, one.outputs, dynamic, path)
        elif one.name in CONVOLUTIONAL and precision == "int8":
            if photos is None:
                continue
            convert.calibrate(out / model_name(one.name, "fp32"), path, photos[:CALIBRATED].numpy())
        else:
            convert.derive(out / model_name(one.name, "fp32"), path, precision)
        distances[path.name] = convert.compare(path, compared, expected, precision)
    return distances


def model_name(feature, precision):
    return f"{feature}.onnx" if precision == "fp32" else f"{feature}.{precision}.onnx"


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def toml_value(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {toml_value(v)}" for k, v in value.items()) + " }"
    return json.dumps(value)


def write_preset(name, description, entries, precision):
    """models/presets/<name>.toml with the checksums of what was exported."""
    name = name if precision == "fp32" else f"{name}-{precision}"
    lines = ["# Written by models/export.py; the checksums are those of the exported files.", f'name = "{name}"', f'description = "{description}, {precision}"']
    for entry in entries:
        image = entry.pop("image", None)
        lines += ["", "[[encoder]]"] + [f"{k} = {toml_value(v)}" for k, v in entry.items()]
        if image:
            lines += ["[encoder.image]"] + [f"{k} = {toml_value(v)}" for k, v in image.items()]
    path = HERE / "presets" / f"{name}.toml"
    partial = path.with_suffix(".partial")
    partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.replace(partial, path)
    print(f"wrote {path}")


def entries(name, preset, shapes, out, precision, token_states):
    """The preset's encoder tables; those of `faithful` where there is a VGG."""
    clip_resize = {"width": 224, "height": 224} if preset.chinese else {"shortest": 224}

    def entry(feature, given, output, model=None, precision=precision, **more):
        model = model or feature
        # Those of convolutions may be there in fp32 alone.
        kind, file = {"fp32": "f32", "fp16": "f16", "int8": "int8"}[precision], out / model_name(model, precision)
        if not file.exists():
            kind, file = "f32", out / model_name(model, "fp32")
        found = {"name": feature, "input": given, "model": f"../{name}/{file.name}", "sha256": sha256(file)}
        weights = convert.weights_of(file)
        if weights.exists():
            found |= {"weights": f"../{name}/{weights.name}", "weights_sha256": sha256(weights)}
        return found | {"output": output, "shape": shapes[feature], "precision": kind, **more}

    def words(feature, max_length):
        file = out / f"{feature}.tokenizer.json"
        return {"tokenizer": f"../{name}/{file.name}", "tokenizer_sha256": sha256(file), "max_length": max_length}

    def layer(feature):
        file = out / f"{feature}.classifier.safetensors"
        return {"classifier": f"../{name}/{file.name}", "classifier_sha256": sha256(file)}

    backbone = out / "resnet.safetensors"
    trained = {"map": "layer3", "map_shape": shapes["resnet_map"], "backbone": f"../{name}/{backbone.name}", "backbone_sha256": sha256(backbone)}
    clip_image = {"alpha": "white", "resize": clip_resize, **({} if preset.chinese else {"crop": 224}), "filter": "bicubic", "mean": CLIP_MEAN, "std": CLIP_STD}
    imagenet = {"resize": {"shortest": 256}, "crop": 224, "crop_offset": "round", "filter": "bilinear", "mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    faithful = lambda: [
        entry("vgg", "image", "hidden", **layer("vgg"), image=dict(imagenet)),
        # In int8 the ranges of ResNet are those of pictures.
        entry("ela", "image", "pooled", "resnet", "fp32" if precision == "int8" else precision, image={"view": "error-levels", **imagenet}),
    ]
    return [
        entry("bert", "text+ocr", "cls_layers", **words("bert", 300), **({"token_states": "token_states"} if token_states else {})),
        entry("clip_text", "text", "text_embeds", **words("clip_text", preset.clip_tokens)),
        entry("clip_image", "image", "image_embeds", image=clip_image),
        entry("resnet", "image", "pooled", **layer("resnet"), **trained, image=dict(imagenet)),
        *(faithful() if "vgg" in shapes else []),
    ]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", choices=PRESETS)
    parser.add_argument("--random-init", action="store_true", help="random weights from the configurations; nothing is downloaded")
    parser.add_argument("--seed", type=int, default=0, help="of the random weights")
    parser.add_argument("--vocab", type=Path, metavar="DIR", help=f"folder with the vocabularies, for --random-init: {', '.join(VOCABULARIES)}")
    parser.add_argument("--precision", default="fp32,fp16,int8", help="comma-separated; fp32 is always made (default: %(default)s)")
    parser.add_argument("--calibrate", type=Path, metavar="DIR", help=f"folder with at least {CALIBRATED + HELD_OUT} pictures, for ResNet and VGG in int8")
    parser.add_argument("--token-states", action="store_true", help="BERT also gives the last layer's states of all tokens, which `mmfnd encode --with-tokens` keeps")
    parser.add_argument("--faithful", action="store_true", help="also `vgg` and `ela`, for heads with `head.inputs = \"faithful\"`")
    args = parser.parse_args()
    if args.random_init and args.vocab is None:
        parser.error(f"--random-init needs --vocab DIR, a folder with {', '.join(VOCABULARIES)}")
    chosen = args.precision.split(",")
    if unknown := set(chosen) - set(convert.LIMITS):
        parser.error(f"unknown precision `{', '.join(sorted(unknown))}`; known are {', '.join(convert.LIMITS)}")
    args.precisions = [precision for precision in convert.LIMITS if precision == "fp32" or precision in chosen]
    return args


def main():
    args = arguments()
    preset, final = PRESETS[args.preset], HERE / args.preset
    torch.manual_seed(args.seed)
    photos = photographs(args.calibrate, CALIBRATED + HELD_OUT) if args.calibrate else None
    models = [*build(preset, args.random_init), build_vgg(args.random_init) if args.faithful else None]
    toks = tokenizers(preset, args.random_init, args.vocab)
    (HERE / "presets").mkdir(exist_ok=True)
    # Files take their places when all of them are made and compared.
    with tempfile.TemporaryDirectory(dir=HERE, prefix=f".{args.preset}-") as folder:
        out = Path(folder)
        for name, tokenizer in zip(["bert", "clip_text"], toks):
            save_tokenizer(tokenizer, out / f"{name}.tokenizer.json")
        _, _, resnet, vgg = models
        save_layer(resnet.fc, out / "resnet.classifier.safetensors")
        save_file({key: value.contiguous() for key, value in resnet.state_dict().items() if not key.startswith("fc.") and not key.endswith("num_batches_tracked")}, str(out / "resnet.safetensors"))
        distances, shapes = {}, {"bert": [models[0].config.num_hidden_layers + 1, models[0].config.hidden_size], "resnet": [resnet.fc.in_features], "resnet_map": [1024, 14, 14]}
        shapes |= dict.fromkeys(["clip_text", "clip_image"], [models[1].config.projection_dim])
        if vgg is not None:
            save_layer(vgg.classifier[6], out / "vgg.classifier.safetensors")
            shapes |= {"vgg": [vgg.classifier[6].in_features], "ela": shapes["resnet"]}
        for one in exports(preset, models, toks, args.token_states, photos):
            distances |= write_models(one, args.precisions, out, photos)
        finish(args, out, final, distances)
    weights = f"RANDOM weights, seed {args.seed}" if args.random_init else "public checkpoints"
    for precision in args.precisions:
        if precision == "int8" and photos is None:
            print(f"{args.preset}-int8 has {' and '.join(CONVOLUTIONAL[: 1 + args.faithful])} in fp32: without --calibrate DIR no int8 form can be made")
        write_preset(args.preset, f"{preset.description} ({weights})", entries(args.preset, preset, shapes, final, precision, args.token_states), precision)
    print(f"done: every file of {final} was compared with PyTorch")


def save_layer(linear, path):
    save_file({"weight": linear.weight.detach().contiguous(), "bias": linear.bias.detach().contiguous()}, str(path))


def finish(args, out, final, distances):
    """Writes the manifest and moves everything to its place; files of an earlier export go."""
    preset = PRESETS[args.preset]
    manifest = {
        "preset": args.preset,
        "weights": {"random_seed": args.seed} if args.random_init else {"bert": preset.bert, "clip": preset.clip, "resnet": "torchvision resnet101 IMAGENET1K_V1"} | ({"vgg": "torchvision vgg19 IMAGENET1K_V1"} if args.faithful else {}),
        "made_with": {name: version(name) for name in ["torch", "torchvision", "transformers", "tokenizers", "onnx", "onnxruntime"]},
        "opset": convert.OPSET,
        "pictures_for_calibration": CALIBRATED if args.calibrate else 0,
        "sha256": {file.name: sha256(file) for file in sorted(out.iterdir())},
        "compared_with_pytorch": distances,
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    final.mkdir(exist_ok=True)
    for stale in final.iterdir():
        if stale.is_file():
            stale.unlink()
    for file in out.iterdir():
        os.replace(file, final / file.name)


if __name__ == "__main__":
    main()

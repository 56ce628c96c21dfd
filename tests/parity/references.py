"""The other side of the comparison: Hugging Face's tokenizers, Pillow / transformers / torchvision pixels, PyTorch features. Nothing here is ours but the calls."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torchvision.transforms as transforms
from PIL import Image
from transformers import ChineseCLIPImageProcessorPil, CLIPImageProcessorPil

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "models"), str(ROOT / "tests" / "golden")]

import checkpoints  # noqa: E402
import export as exporter  # noqa: E402
import pixels as drawn  # noqa: E402

IMAGENET_MEAN, IMAGENET_STD = exporter.IMAGENET_MEAN, exporter.IMAGENET_STD


def has_bf16():
    """Whether this processor multiplies bfloat16 by instructions of its own."""
    flags = Path("/proc/cpuinfo").read_text()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def tweets(root):
    """Every tweet of the Twitter set, in both files; the columns are split at tabs and quotes mean nothing."""
    for name, column in [("devset/posts.txt", 1), ("testset/posts_groundtruth.txt", 1)]:
        lines = (root / "twitter_mediaeval" / name).read_text(encoding="utf-8").removesuffix("\n").split("\n")
        yield from (line.split("\t")[column] for line in lines[1:])


def weibo_posts(root):
    """Every third line of the four files; it may be empty."""
    for name in ["train_rumor", "train_nonrumor", "test_rumor", "test_nonrumor"]:
        lines = (root / "weibo" / "tweets" / f"{name}.txt").read_text(encoding="utf-8").split("\n")
        yield from lines[2 : len(lines) - len(lines) % 3 : 3]


def pictures(root, name):
    """The picture files of a dataset."""
    folders = {"twitter": ["twitter_mediaeval/images_train", "twitter_mediaeval/images_validation", "twitter_mediaeval/images_test"], "weibo": ["weibo/rumor_images", "weibo/nonrumor_images"]}
    return sorted(file for folder in folders[name] for file in (root / folder).iterdir() if file.is_file())


def special_pictures(folder):
    """One picture of every kind that decoders disagree on: CMYK, palette, 16 bits, alpha, EXIF orientation and so on."""
    files = []
    for name, data in drawn.pictures(np.random.default_rng(1)).items():
        files.append(folder / name)
        files[-1].write_bytes(data)
    return files


def clip_pixels(image):
    """transformers: shortest side 224 bicubic, centre crop.  [H, W, 3] uint8"""
    return hwc(CLIPImageProcessorPil()(image, do_rescale=False, do_normalize=False))


def chinese_clip_pixels(image):
    """transformers, as the checkpoints configure it: 224 x 224 bicubic, no crop."""
    processor = ChineseCLIPImageProcessorPil(size={"height": 224, "width": 224}, do_center_crop=False)
    return hwc(processor(image, do_rescale=False, do_normalize=False))


def resnet_pixels(image):
    """torchvision on a Pillow image: 256 bilinear, centre crop 224."""
    steps = transforms.Compose([transforms.Resize(256, transforms.InterpolationMode.BILINEAR), transforms.CenterCrop(224)])
    return np.asarray(steps(image.convert("RGB")))


def hwc(batch):
    return np.asarray(batch["pixel_values"][0]).transpose(1, 2, 0)


def image_rule(encoder, chinese):
    """The pixels' maker, mean and deviation of an image encoder."""
    if encoder == "resnet":
        return resnet_pixels, IMAGENET_MEAN, IMAGENET_STD
    return (chinese_clip_pixels if chinese else clip_pixels), exporter.CLIP_MEAN, exporter.CLIP_STD


def models(name):
    """The untouched PyTorch models that a preset was exported from, by its manifest."""
    manifest = json.loads((ROOT / "models" / name / "manifest.json").read_text())
    seed = manifest["weights"].get("random_seed")
    if seed is not None:
        torch.manual_seed(seed)
    return checkpoints.build(checkpoints.PRESETS[name], seed is not None)


def features(name, encoder, tokenizer, max_length, contents):
    """PyTorch's features of texts or picture files, in batches of 16.  [N, ...] float64"""
    bert, clip, resnet = models(name)
    rows = []
    for start in range(0, len(contents), 16):
        part = contents[start : start + 16]
        with torch.inference_mode():
            if encoder in ["bert", "clip_text"]:
                inputs = tokenizer(part, return_tensors="pt", padding=True, truncation=True, max_length=max_length)
                found = text_features(encoder, bert, clip, inputs)
            else:
                make, mean, std = image_rule(encoder, checkpoints.PRESETS[name].chinese)
                pixels = np.stack([make(Image.open(io.BytesIO(Path(file).read_bytes()))) for file in part]).astype(np.float32) / 255
                pixels = ((pixels - np.float32(mean)) / np.float32(std)).transpose(0, 3, 1, 2)
                found = image_features(encoder, clip, resnet, torch.from_numpy(np.ascontiguousarray(pixels)))
        rows.append(found.numpy().astype(np.float64))
    return np.concatenate(rows)


def text_features(encoder, bert, clip, inputs):
    if encoder == "bert":
        return torch.stack([states[:, 0] for states in bert(**inputs, output_hidden_states=True).hidden_states], dim=1)
    return exporter.embeds(clip.get_text_features(**inputs))


def image_features(encoder, clip, resnet, pixels):
    if encoder == "clip_image":
        return exporter.embeds(clip.get_image_features(pixel_values=pixels))
    body = torch.nn.Sequential(*list(resnet.children())[:-1])
    return body(pixels).flatten(1)

"""Where the encoders come from: the hub's checkpoints, or the configurations alone with random weights."""

import gzip
import hashlib
from dataclasses import dataclass

import torch
from transformers import (
    BertConfig, BertModel, BertTokenizerFast, ChineseCLIPConfig, ChineseCLIPModel, CLIPConfig, CLIPModel, CLIPTokenizerFast,
)

VOCABULARIES = ["bert-base-uncased_vocab.txt", "bert-base-chinese_vocab.txt", "bpe_simple_vocab_16e6.txt.gz"]


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


def build(preset, random_init):
    """BERT, CLIP and ResNet-101, in evaluation mode."""
    import torchvision

    eager = {"attn_implementation": "eager"}
    if not random_init:
        clip_class = ChineseCLIPModel if preset.chinese else CLIPModel
        bert = BertModel.from_pretrained(preset.bert, add_pooling_layer=False, **eager)
        clip = clip_class.from_pretrained(preset.clip, **eager)
        resnet = torchvision.models.resnet101(weights="IMAGENET1K_V1")
    else:
        bert = BertModel._from_config(BertConfig(vocab_size=21128 if preset.chinese else 30522), add_pooling_layer=False, **eager)
        clip = random_clip(preset, eager)
        resnet = settled(torchvision.models.resnet101())
    return bert.eval(), clip.eval(), resnet.eval()


def build_vgg(random_init):
    """VGG-19, in evaluation mode."""
    import torchvision

    return torchvision.models.vgg19(weights=None if random_init else "IMAGENET1K_V1").eval()


def settled(resnet):
    """Random weights that behave as trained ones do: blocks that add a little to their input, and statistics that fit.

    As torchvision starts it, a ResNet-101 without training grows past the largest float16, or, with fitting statistics, makes any rounding visible.
    """
    for block in (block for layer in [resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4] for block in layer):
        torch.nn.init.constant_(block.bn3.weight, 0.2)
    for norm in (module for module in resnet.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        norm.momentum = None  # the plain mean of all batches
    with torch.no_grad():
        for _ in range(4):
            resnet.train()(drawings(4))
    return resnet


def drawings(rows):
    """Pixels with large and small structures, as pictures have them.  [B, 3, 224, 224]"""
    sides = [4, 16, 56, 224]
    layers = [torch.nn.functional.interpolate(torch.randn(rows, 3, side, side), size=224, mode="bilinear") / (1 + i) for i, side in enumerate(sides)]
    return sum(layers).clamp(-2.1, 2.6)


def photographs(folder, rows):
    """Pixels of so many pictures of a folder, as torchvision makes them ready for ResNet-101; the same ones each time.  [rows, 3, 224, 224]"""
    from PIL import Image, UnidentifiedImageError
    from torchvision.models import ResNet101_Weights

    ready = ResNet101_Weights.IMAGENET1K_V1.transforms()
    found = []
    for path in sorted(folder.rglob("*"), key=lambda path: hashlib.sha256(str(path.relative_to(folder)).encode()).digest()):
        if len(found) == rows:
            break
        if path.suffix.lower() in [".jpg", ".jpeg", ".png", ".webp", ".gif"]:
            try:
                found.append(ready(Image.open(path).convert("RGB")))
            except (UnidentifiedImageError, OSError) as problem:
                print(f"{path}: left out of the calibration: {problem}")
    if len(found) < rows:
        raise SystemExit(f"{folder}: {len(found)} pictures can be read, {rows} are needed; give a folder with more of them to --calibrate")
    return torch.stack(found)


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
    name = VOCABULARIES[1] if preset.chinese else VOCABULARIES[0]
    # Not `splitlines`: a line separator (U+2028) is one of the Chinese words.
    words = {w: i for i, w in enumerate((vocab / name).read_text(encoding="utf-8").removesuffix("\n").split("\n"))}
    bert = BertTokenizerFast(vocab=words, do_lower_case=True)
    return bert, bert if preset.chinese else clip_tokenizer(vocab / VOCABULARIES[2])


def clip_tokenizer(path):
    """CLIP's byte-pair encoder from the merges that OpenAI published."""
    lines = gzip.open(path, "rt", encoding="utf-8").read().split("\n")
    merges = [tuple(line.split()) for line in lines[1 : 49152 - 256 - 2 + 1]]
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    alphabet = [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    words = alphabet + [c + "</w>" for c in alphabet] + ["".join(m) for m in merges] + ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizerFast(vocab={w: i for i, w in enumerate(words)}, merges=merges)


def save_tokenizer(tokenizer, path):
    """Without padding and truncation, which the preset's `max_length` decides."""
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.save(str(path))

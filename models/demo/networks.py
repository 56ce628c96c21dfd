"""The demo encoders: BERT-, CLIP- and ResNet-shaped, as small as the demo world allows."""

import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Self-attention; padding is masked out."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x, bias):
        B, T, D = x.shape
        q, k, v = self.qkv(x).reshape(B, T, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)  # (B, heads, T, D / heads)
        weights = (q @ k.transpose(-1, -2) * (D // self.heads) ** -0.5 + bias).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(B, T, D))


class Layer(nn.Module):
    """A transformer layer, normalised after each part as in BERT."""

    def __init__(self, width, heads, inner):
        super().__init__()
        self.attention = Attention(width, heads)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))

    def forward(self, x, bias):
        x = self.norm1(x + self.attention(x, bias))
        return self.norm2(x + self.feed_forward(x))


class Transformer(nn.Module):
    """Hidden states of the embedding layer and of every layer, (B, T, D) each."""

    def __init__(self, vocabulary, length, width, layers, heads, inner):
        super().__init__()
        self.words, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(Layer(width, heads, inner) for _ in range(layers))
        for table in (self.words, self.positions):
            nn.init.normal_(table.weight, std=0.05)

    def forward(self, input_ids, attention_mask):
        positions = torch.arange(input_ids.shape[1], device=input_ids.device)
        x = self.norm(self.words(input_ids) + self.positions(positions))
        bias = (1 - attention_mask[:, None, None, :].to(x.dtype)) * -1e4
        states = [x]
        for layer in self.layers:
            states.append(layer(states[-1], bias))
        return states


class Bert(nn.Module):
    """`[CLS]` of the embedding layer and of each layer, (B, L + 1, D)."""

    def __init__(self, vocabulary, length, width=96, layers=4, heads=4, inner=96):
        super().__init__()
        self.width, self.layers = width, layers
        self.transformer = Transformer(vocabulary, length, width, layers, heads, inner)

    def forward(self, input_ids, attention_mask):
        return torch.stack([state[:, 0] for state in self.transformer(input_ids, attention_mask)], dim=1)


class ClipText(nn.Module):
    """The mean of the last states, projected, not normalised, (B, d_c)."""

    def __init__(self, vocabulary, length, d_clip, width=64, layers=2, heads=4, inner=128):
        super().__init__()
        self.transformer = Transformer(vocabulary, length, width, layers, heads, inner)
        self.projection = nn.Linear(width, d_clip, bias=False)

    def forward(self, input_ids, attention_mask):
        mask = attention_mask[:, :, None].to(torch.float32)
        state = self.transformer(input_ids, attention_mask)[-1] * mask
        return self.projection(state.sum(1) / mask.sum(1))


class Block(nn.Module):
    """ResNet's basic block."""

    def __init__(self, d_input, d_output, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(d_input, d_output, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(d_output, d_output, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(d_output), nn.BatchNorm2d(d_output)
        self.shortcut = nn.Identity()
        if stride != 1 or d_input != d_output:
            self.shortcut = nn.Sequential(nn.Conv2d(d_input, d_output, 1, stride, bias=False), nn.BatchNorm2d(d_output))

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """The global average of the last map, (B, D)."""

    def __init__(self, widths=(24, 40, 64, 96)):
        super().__init__()
        self.width = widths[-1]
        self.stem = nn.Sequential(nn.Conv2d(3, widths[0], 6, 4, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU())
        inputs, strides = (widths[0], *widths), (1, 2, 2, 1)
        self.blocks = nn.Sequential(*(Block(a, b, stride) for a, b, stride in zip(inputs, widths, strides)))

    def maps(self, pixel_values):
        return self.blocks(self.stem(pixel_values))

    def forward(self, pixel_values):
        return self.maps(pixel_values).mean((2, 3))


class ClipImage(nn.Module):
    """A ResNet with a projection, not normalised, (B, d_c)."""

    def __init__(self, resnet, d_clip):
        super().__init__()
        self.resnet = resnet
        self.projection = nn.Linear(resnet.width, d_clip, bias=False)

    def forward(self, pixel_values):
        return self.projection(self.resnet(pixel_values))

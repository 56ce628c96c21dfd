"""The masks of the Rust heads' dropout (`dropout.rs` of the train crate) on PyTorch's side: written from the definition of ChaCha, not from the Rust code.

A mask belongs to seed, step and place: these, as 64-bit little-endian numbers, and eight zero bytes are the key of a ChaCha8 stream (D. J. Bernstein, "ChaCha, a variant of Salsa20", 2008). Each value of
the mask, row by row, takes one 32-bit word of the stream: below (1 - p)(2^32 - 1) the value is kept and scaled by 1 / (1 - p), else it is zero.
"""

import struct

import torch
from torch import Tensor, nn

PLACES = {"text_projection.dropout": 0, "image_projection.dropout": 1, "fusion.dropout": 2, "dropout": 0}  # by the name of the module
WORD = 0xFFFFFFFF
COLUMNS = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]
DIAGONALS = [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]


def quarter_round(s: list[int], a: int, b: int, c: int, d: int):
    for x, y, z, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & WORD
        mixed = s[z] ^ s[x]
        s[z] = (mixed << bits | mixed >> (32 - bits)) & WORD


def chacha8(key: bytes, count: int) -> list[int]:
    """The first words of the stream."""
    words = []
    for block in range(-(-count // 16)):
        start = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key), block, 0, 0, 0]
        state = list(start)
        for _ in range(4):
            for at in COLUMNS + DIAGONALS:
                quarter_round(state, *at)
        words += [(a + b) & WORD for a, b in zip(state, start)]
    return words[:count]


def mask(seed: int, step: int, place: int, p: float, shape: torch.Size) -> Tensor:
    keep = 1.0 - p
    words = chacha8(struct.pack("<4Q", seed, step, place, 0), shape.numel())
    return torch.tensor([1.0 / keep if word < int(keep * WORD) else 0.0 for word in words]).view(shape)


def draw(model: nn.Module, seed: int, step: int):
    """From now on the model's dropouts apply the masks of that step while it trains."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Dropout) and module.p > 0:
            def forward(x: Tensor, module=module, place=PLACES[name]) -> Tensor:
                return x * mask(seed, step, place, module.p, x.shape) if module.training else x

            module.forward = forward

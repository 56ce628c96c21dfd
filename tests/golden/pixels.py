"""What Pillow makes of awkward pictures: decoded as `Image.open(..).convert("RGB")`, resized and cropped as transformers (CLIP) and torchvision (ResNet) do it.

    python3 -m pip install -r tests/golden/requirements.txt
    python3 tests/golden/pixels.py        # writes tests/golden/pixels.safetensors; checked by crates/pictures/src/tests/golden.rs

Every picture is drawn here. `NAME.file` are its bytes, `NAME.rgb` its pixels [H, W, 3], `NAME.white` (where something may be transparent) those that
transformers' `convert_to_rgb` makes of it, over white, `NAME.levels` its error levels (docs/heads.md, 9), `NAME.RULE` the pixels that a rule makes
of it (of `full` every fourth row), `smaller.part` what torchvision makes of a part of it, as training from pictures varies them.
"""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageDraw
from safetensors.numpy import save_file
from torchvision.transforms import functional

SEED = 20
OUT = Path(__file__).with_name("pixels.safetensors")


def drawing(width, height, rng):
    """Slopes, edges, thin lines and some noise: what resampling and chroma can get wrong."""
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([255 * x / width, 255 * y / height, 127 + 127 * np.sin(x / 5 + y / 9)], -1)
    image = Image.fromarray(np.clip(base + rng.normal(0, 6, base.shape), 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.rectangle([width // 8, height // 6, width // 2, height // 2], fill=(250, 20, 30))
    draw.ellipse([width // 3, height // 3, width - 3, height - 4], outline=(10, 240, 60), width=2)
    draw.line([0, height - 1, width - 1, 0], fill=(255, 255, 255))
    return image


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png(width, height, depth, colour, rows, palette=None):
    """A PNG of a kind that Pillow cannot write; `rows` are packed samples."""
    chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = b"".join(b"\0" + bytes(row) for row in rows)
    middle = chunk(b"PLTE", bytes(palette)) if palette else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + middle + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


def words(array):
    """Rows of big-endian 16-bit samples."""
    return [row.astype(">u2").tobytes() for row in array.reshape(array.shape[0], -1)]


def four_bit_palette_tiff():
    """Of 13 × 5 pixels, big-endian and turned by a quarter; Pillow writes palettes of eight bits alone."""
    width, height, colours = 13, 5, np.arange(48, dtype=">u2") * 1365
    rows = (np.arange(height * 7).reshape(height, 7) * 37 % 256).astype(np.uint8)
    tags = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 1, 4), (259, 3, 1, 1), (262, 3, 1, 3), (273, 4, 1, None), (274, 3, 1, 6)]
    tags += [(277, 3, 1, 1), (278, 3, 1, height), (279, 4, 1, rows.size), (320, 3, 48, None)]
    end = 8 + 2 + 12 * len(tags) + 4
    places = {273: end + colours.nbytes, 320: end}
    entry = lambda tag, kind, count, value: struct.pack(">HHI", tag, kind, count) + (struct.pack(">I", places[tag]) if tag in places else struct.pack(">HH" if kind == 3 else ">I", *([value, 0] if kind == 3 else [value])))
    return b"MM\0*" + struct.pack(">IH", 8, len(tags)) + b"".join(entry(*tag) for tag in tags) + bytes(4) + colours.tobytes() + rows.tobytes()


def pictures(rng):
    image = drawing(45, 31, rng)
    alpha = image.convert("RGBA")
    alpha.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, 45).astype(np.uint8), (31, 1))))
    palette = image.quantize(40)
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = np.asarray(image).astype(np.uint32) * 257
    grey16 = rng.integers(0, 65536, (31, 45))

    return {
        "jpeg_420": saved(image, "JPEG", quality=85, subsampling=2),
        "jpeg_444": saved(image, "JPEG", quality=95, subsampling=0),
        "jpeg_422": saved(image, "JPEG", quality=60, subsampling=1),
        "jpeg_progressive": saved(image, "JPEG", progressive=True, quality=70),
        "jpeg_grey": saved(image.convert("L"), "JPEG"),
        "jpeg_cmyk": saved(image.convert("CMYK"), "JPEG", quality=90),
        "jpeg_exif_rotated": saved(image, "JPEG", exif=exif),
        "png_rgb": saved(image, "PNG"),
        "png_rgba": saved(alpha, "PNG"),
        "png_grey": saved(image.convert("L"), "PNG"),
        "png_grey_alpha": saved(alpha.convert("LA"), "PNG"),
        "png_palette": saved(palette, "PNG"),
        "png_palette_transparent": saved(palette, "PNG", transparency=3),
        "png_1_bit": saved(image.convert("1"), "PNG"),
        "png_2_bit_grey": png(16, 8, 2, 0, rng.integers(0, 256, (8, 4), np.uint8)),
        "png_4_bit_grey": png(16, 8, 4, 0, rng.integers(0, 256, (8, 8), np.uint8)),
        "png_16_bit_grey": png(45, 31, 16, 0, words(grey16)),
        "png_16_bit_rgb": png(45, 31, 16, 2, words(wide + rng.integers(0, 256, wide.shape))),
        "png_16_bit_rgba": png(45, 31, 16, 6, words(rng.integers(0, 65536, (31, 45, 4)))),
        "png_16_bit_grey_alpha": png(45, 31, 16, 4, words(rng.integers(0, 65536, (31, 45, 2)))),
        "gif": saved(palette, "GIF"),
        "gif_animated": saved(image, "GIF", save_all=True, append_images=[image.rotate(90), image.rotate(180)], duration=50, loop=0),
        "gif_transparent": saved(palette, "GIF", transparency=5),
        "webp_lossless": saved(image, "WEBP", lossless=True),
        "webp_lossless_alpha": saved(alpha, "WEBP", lossless=True, exact=True),
        "webp": saved(image, "WEBP", quality=90),
        "bmp": saved(image, "BMP"),
        "bmp_palette": saved(palette, "BMP"),
        "tiff": saved(image, "TIFF"),
        "tiff_lzw": saved(image, "TIFF", compression="tiff_lzw"),
        "tiff_grey": saved(image.convert("L"), "TIFF"),
        "tiff_rgba": saved(alpha, "TIFF"),
        "tiff_cmyk": saved(image.convert("CMYK"), "TIFF"),
        "tiff_palette": saved(palette, "TIFF", compression="tiff_lzw"),
        "tiff_palette_4_bit": four_bit_palette_tiff(),
        "png_rgb_one_colour_transparent": saved(image, "PNG", transparency=image.getpixel((9, 9))),
        "png_grey_one_colour_transparent": saved(image.convert("L"), "PNG", transparency=image.convert("L").getpixel((9, 9))),
        "webp_alpha": saved(alpha, "WEBP", quality=90),
    }


def over_white(image):
    """`transformers.image_transforms.convert_to_rgb` of a picture with transparency, written out."""
    image = image.convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image).convert("RGB"))


def error_levels(image):
    """|x - JPEG(x)|, stretched so that the largest of all channels is 255."""
    found = np.asarray(image, np.float64)
    again = np.asarray(Image.open(io.BytesIO(saved(image, "JPEG", quality=90, subsampling="4:2:0"))), np.float64)
    levels = np.abs(found - again)
    return np.round(levels * 255 / max(1, levels.max())).astype(np.uint8)


def shortest(image, side, filter):
    width, height = image.size
    short, long = min(width, height), max(width, height)
    scaled = int(side * long / short)
    return image.resize((side, scaled) if width <= height else (scaled, side), filter)


def clip(image, side, crop):
    """transformers: shortest side bicubic, crop from `margin // 2`."""
    image = shortest(image, side, Image.Resampling.BICUBIC)
    left, top = (image.width - crop) // 2, (image.height - crop) // 2
    return image.crop((left, top, left + crop, top + crop))


def resnet(image, side, crop):
    """torchvision: shortest side bilinear, crop from `round(margin / 2)`."""
    image = shortest(image, side, Image.Resampling.BILINEAR)
    left, top = round((image.width - crop) / 2.0), round((image.height - crop) / 2.0)
    return image.crop((left, top, left + crop, top + crop))


PART = (5, 2, 33, 22)


def part(image, is_mirrored):
    """torchvision: the rectangle `PART` (left, top, width, height) at 24 × 30, mirrored or not."""
    left, top, width, height = PART
    image = functional.resized_crop(image, top, left, height, width, [30, 24], functional.InterpolationMode.BILINEAR)
    return functional.hflip(image) if is_mirrored else image


def main():
    rng = np.random.default_rng(SEED)
    tensors = {}
    for name, data in pictures(rng).items():
        tensors[f"{name}.file"] = np.frombuffer(data, np.uint8)
        image = Image.open(io.BytesIO(data))
        tensors[f"{name}.rgb"] = np.asarray(image.convert("RGB"))
        if "A" in image.getbands() or image.info.get("transparency") is not None:
            tensors[f"{name}.white"] = over_white(image)
    for name, size in {"smaller": (61, 90), "larger": (17, 12), "long": (150, 23), "tall": (70, 150), "square": (40, 40)}.items():
        image = drawing(*size, rng)
        tensors[f"{name}.file"] = np.frombuffer(saved(image, "PNG"), np.uint8)
        tensors[f"{name}.rgb"] = np.asarray(image)
        tensors[f"{name}.levels"] = error_levels(image)
        tensors[f"{name}.clip_32_29"] = np.asarray(clip(image, 32, 29))
        tensors[f"{name}.clip_32_32"] = np.asarray(clip(image, 32, 32))
        tensors[f"{name}.resnet_36_31"] = np.asarray(resnet(image, 36, 31))
        tensors[f"{name}.exact_24_30"] = np.asarray(image.resize((24, 30), Image.Resampling.BICUBIC))
    full = saved(drawing(500, 333, rng), "JPEG", quality=80)
    image = Image.open(io.BytesIO(full)).convert("RGB")
    tensors["full.file"] = np.frombuffer(full, np.uint8)
    tensors["full.clip_224_224"] = np.asarray(clip(image, 224, 224))[::4]
    tensors["full.resnet_256_224"] = np.asarray(resnet(image, 256, 224))[::4]
    image = Image.open(io.BytesIO(tensors["smaller.file"].tobytes()))
    tensors["smaller.part"] = np.asarray(part(image, False))
    tensors["smaller.part_mirrored"] = np.asarray(part(image, True))
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    save_file(tensors, str(OUT), metadata={"pillow": PIL.__version__, "numpy": np.__version__, "seed": str(SEED)})
    print(f"{OUT.name}: {len(tensors)} tensors, {OUT.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    main()

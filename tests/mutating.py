"""Random mutations of image files and of checkpoints, for `tests/fuzz.py`."""

import io
import random
import struct
import zipfile

import torch
from PIL import Image

from colorgan import config
from colorgan.codecs import CODECS
from colorgan.colorizer import checkpoint
from colorgan.nets import NETS
from tests.breaking import RGB, WHOLES, Whole, by_pil

EXTREMES = (0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1, 65000)


def wholes() -> dict[str, Whole]:
    """Whole files of all formats that are decoded."""
    image, exif = Image.fromarray(RGB), Image.Exif()
    exif[274], exif[271] = 6, "maker"
    frames = {"save_all": True, "append_images": [image.rotate(90)]}
    more = {
        "x.ppm": by_pil("PPM"),
        "x.pgm": by_pil("PPM", image.convert("L")),
        "x.avif": by_pil("AVIF"),
        "x.jp2": by_pil("JPEG2000"),
        "x.tga": by_pil("TGA"),
        "x.pcx": by_pil("PCX"),
        "cmyk.jpg": by_pil("JPEG", image.convert("CMYK")),
        "exif.jpg": by_pil("JPEG", exif=exif, dpi=(300, 300)),
        "exif.png": by_pil("PNG", exif=exif, dpi=(300, 300)),
        "exif.webp": by_pil("WEBP", exif=exif),
        "pages.tif": by_pil("TIFF", **frames),
        "frames.gif": by_pil("GIF", **frames),
        "frames.webp": by_pil("WEBP", **frames),
        "frames.png": by_pil("PNG", **frames),
        "alpha.png": by_pil("PNG", image.convert("RGBA")),
    }
    return WHOLES | {name: Whole(data) for name, data in more.items()}


def mutate(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """Return a mutation of a file: up to four changes of bytes, numbers, length and order."""
    content = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        near_head = rng.random() < 0.5
        at = rng.randrange(max(1, min(len(content), 256) if near_head else len(content)))
        kind = rng.randrange(8)
        if kind == 0:
            del content[at if rng.random() < 0.5 else rng.randrange(len(content) + 1) :]
        elif kind == 1:
            run = rng.choice((1, 4, 30, 300))
            content[at : at + run] = bytes(run) if rng.random() < 0.5 else rng.randbytes(run)
        elif kind == 2 and content:
            content[at % len(content)] ^= 1 << rng.randrange(8)
        elif kind == 3:
            number, order = rng.choice(EXTREMES), rng.choice("<>")
            content[at : at + 4] = struct.pack(order + "L", number)
        elif kind == 4:
            content[at : at + 2] = struct.pack(rng.choice("<>") + "H", rng.choice(EXTREMES) & 0xFFFF)
        elif kind == 5:
            content[at:at] = content[at : at + rng.choice((4, 100, 1000))] * rng.choice((1, 3, 50))
        elif kind == 6:
            del content[at : at + rng.choice((1, 12, 200))]
        else:
            other = rng.choice(others)
            content[at:] = other[rng.randrange(len(other)) :]
        content = content or bytearray(b"\0")
    return bytes(content)


def tiny_checkpoint(codec: str = "regress") -> dict:
    """The content of a checkpoint of a U-Net of four channels."""
    nodes = {"net": {"name": "unet", "width": 4, "size": 32}, "codec": {"name": codec}}
    experiment = config.resolve(nodes, [], {"net": NETS, "codec": CODECS}, origin="fuzz")
    torch.manual_seed(0)
    colorizer = checkpoint.build_colorizer(experiment, 32)
    content = {key: config.plain(experiment[key]) for key in ("net", "codec")}
    content |= {"name": "fuzz", "data": {"name": "folder", "root": None, "size": 32}}
    return {
        "experiment": content,
        "state_dict": {f"model.{k}": v for k, v in colorizer.state_dict().items()},
        "epoch": 3,
    }


ODD = (
    10**9,
    -1,
    0,
    10**30,
    1e308,
    float("nan"),
    None,
    "",
    "../x",
    "${oc.env:HOME}",
    [],
    {},
    [[]] * 9,
    True,
    "unet",
    "bins",
)


def distort(content: dict, rng: random.Random) -> dict:
    """Return a checkpoint with odd values in its experiment, or odd tensors."""
    experiment, state = {**content["experiment"]}, dict(content["state_dict"])
    for _ in range(rng.choice((1, 1, 3))):
        kind, key = rng.randrange(6), rng.choice(sorted(state))
        if kind <= 2:
            node = rng.choice(("net", "codec", "data"))
            if isinstance(experiment.get(node), dict):
                experiment[node] = {
                    **experiment[node],
                    rng.choice([*experiment[node], "loss", "norm"]): rng.choice(ODD),
                }
        elif kind == 3:
            experiment[rng.choice([*experiment])] = rng.choice(ODD)
        elif kind == 4:
            value = torch.zeros(1)
            odd = (
                value.expand(10**6, 10**6),
                value,
                state[key].double(),
                torch.zeros(3, dtype=torch.complex64),
                7,
                None,
            )
            state[key] = rng.choice(odd)
        else:
            del state[key]
    return {**content, "experiment": experiment, "state_dict": state}


def serialized(content: object, rng: random.Random) -> bytes:
    """Return the bytes of `torch.save`, in today's or the old format, or of a compressed archive."""
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=rng.random() < 0.8)
    if rng.random() < 0.1 and zipfile.is_zipfile(buffer):
        packed = io.BytesIO()
        with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
            for entry in old.infolist():
                new.writestr(entry.filename, old.read(entry))
        return packed.getvalue()
    return buffer.getvalue()

"""File formats that are read and written. Imports little, so that a command's `--help` stays cheap."""

import os

# Suffixes that are written, in lower case, and the format that `images.write` gives each.
SUFFIXES = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}

# Suffixes of the files that are taken for photographs in a folder.
READ_SUFFIXES = frozenset(SUFFIXES) | frozenset(
    ".jpe .jfif .jif .mpo .apng .gif .dib .avif .jp2 .j2k .jpx .ppm .pgm .pbm .pnm .tga .pcx .psd .qoi".split()
)

# Formats of Pillow that are decoded, whatever the suffix. Left out: those that start other programs (EPS), open parts
# of other files, or hold no photograph.
DECODED = set("JPEG MPO PNG GIF BMP DIB PPM TIFF WEBP AVIF JPEG2000 TGA PCX PSD QOI".split())

# Formats with an alpha channel.
HOLDS_ALPHA = {"PNG", "WEBP", "TIFF"}


def is_photograph(name: str) -> bool:
    """Whether a file of a folder is taken for a photograph by its name: hidden ones are not."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in READ_SUFFIXES

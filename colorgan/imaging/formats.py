"""File formats that can be written. Imports nothing, so that a command's `--help` stays cheap."""

# Recognized suffixes, in lower case, and the format that `images.write` gives each.
SUFFIXES = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}

# Formats with an alpha channel.
HOLDS_ALPHA = {"PNG", "WEBP", "TIFF"}

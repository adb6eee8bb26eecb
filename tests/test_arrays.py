"""What `unpack` takes apart comes back in its own type, and anything else is refused."""

import numpy as np
import pytest
import torch
from PIL import Image

from colorgan.errors import UserError
from colorgan.imaging.arrays import unpack


def noise(size: int = 200) -> Image.Image:
    """A colored picture that does not compress."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(6, 9), (6, 9, 1), (6, 9, 3), (6, 9, 4)])
def test_arrays_come_back_as_they_went(dtype, shape):
    full = 1 if np.issubdtype(dtype, np.floating) else np.iinfo(dtype).max
    array = (np.random.default_rng(0).random(shape) * full).astype(dtype)
    pictures, restore = unpack(array)
    expected = np.repeat(array.reshape(6, 9, 1), 3, axis=2) if shape[2:] in ((), (1,)) else array
    restored = restore([pictures[0].expand(3, -1, -1)])
    assert pictures[0].dtype == (torch.uint8 if dtype is np.uint8 else torch.float32)
    assert (pictures[0].shape[-2:], restored.dtype) == ((6, 9), dtype)
    np.testing.assert_allclose(restored, expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(6, 9), (1, 6, 9), (3, 6, 9), (2, 1, 6, 9), (2, 3, 6, 9)])
def test_tensors_come_back_as_they_went(dtype, shape):
    values = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    tensor = (values * 255).to(dtype) if dtype is torch.uint8 else values.to(dtype)
    pictures, restore = unpack(tensor)
    batch = shape[0] if len(shape) == 4 else 1
    expected = tensor.reshape(batch, -1, 6, 9).expand(-1, 3, -1, -1)
    restored = restore([picture.expand(3, -1, -1) for picture in pictures])
    assert [tuple(picture.shape[-2:]) for picture in pictures] == [(6, 9)] * batch
    torch.testing.assert_close(restored, expected if len(shape) == 4 else expected[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("mode", "result"), [("L", "RGB"), ("RGB", "RGB"), ("P", "RGB"), ("CMYK", "RGB"), ("LA", "RGBA"), ("RGBA", "RGBA")]
)
def test_pil_images_come_back_as_pil_images(mode, result):
    image = noise(20).convert("L").convert(mode)
    pictures, restore = unpack(image)
    restored = restore([pictures[0].expand(3, -1, -1)])
    assert (restored.mode, restored.size) == (result, (20, 20))


@pytest.mark.parametrize(
    "wrong",
    [
        "photo.jpg",
        [[1, 2]],
        np.zeros((2, 3, 5), np.uint8),
        np.zeros((0, 3), np.uint8),
        np.zeros((2, 2, 2, 3), np.uint8),
        np.zeros((4, 4), np.int64),
        np.full((4, 4), 2.0),
        np.full((4, 4), np.nan),
        torch.zeros(4, 4, 3),
        torch.zeros(5),
        torch.zeros(1, 1, 3, 4, 4),
        torch.full((4, 4), -1.0),
    ],
    ids=lambda wrong: f"{type(wrong).__name__}-{getattr(wrong, 'shape', '')}",
)
def test_anything_else_is_refused_in_one_line(wrong):
    with pytest.raises(UserError, match=r"^cannot color [^\n]*$"):
        unpack(wrong)

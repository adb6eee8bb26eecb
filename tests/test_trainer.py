import pytest
import torch

from colorgan.training.trainer import pick_precision


@pytest.mark.parametrize(("capability", "precision"), [("avx512_bf16", "32-true"), ("amx_bf16", "bf16-mixed")])
def test_a_cpu_takes_bfloat16_where_it_has_matrices_of_it(monkeypatch, capability, precision):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {capability: True})
    assert pick_precision("auto", "cpu") == precision


def test_a_precision_that_is_named_is_taken():
    assert pick_precision("bf16-mixed", "cpu") == "bf16-mixed"

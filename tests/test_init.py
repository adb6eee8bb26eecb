"""`colorgan.train --init`: a new run that starts with the net of another one."""

import torch

from colorgan.colorizer import checkpoint


def generator(path, part):
    prefix = f"{part}."
    return {key: x for key, x in checkpoint.read(path)["state_dict"].items() if key.startswith(prefix)}


def test_a_new_run_can_start_with_the_net_of_another(tiny_train, tmp_path):
    first = tmp_path / "run/last.ckpt"
    tiny_train()
    assert tiny_train(f"run_dir={tmp_path}/next", "seed=7", "optim.lr=1e-20", "--init", str(first)) == 0
    old, new = generator(first, "ema.module.net"), generator(tmp_path / "next/last.ckpt", "model.net")
    for key, value in old.items():
        if "weight" in key or "bias" in key:
            torch.testing.assert_close(new[key.replace("ema.module", "model")], value, rtol=0, atol=1e-15)
    assert checkpoint.read(tmp_path / "next/last.ckpt")["epoch"] == 0


def test_a_resumed_run_does_not_start_anew(tiny_train, tmp_path):
    tiny_train(f"run_dir={tmp_path}/other", "seed=7")
    tiny_train()
    resume = ("--resume", "trainer.max_epochs=2", "optim.lr=1e-20")
    assert tiny_train(*resume, "--init", str(tmp_path / "other/last.ckpt")) == 0
    before, after = (generator(tmp_path / f"run/epoch=00{epoch}.ckpt", "model.net") for epoch in (0, 1))
    assert all(torch.equal(after[key], value) for key, value in before.items() if key.endswith("weight"))


def test_the_net_of_another_kind_is_no_start(tiny_train, tmp_path, capsys):
    tiny_train()
    first = tmp_path / "run/last.ckpt"
    assert tiny_train(f"run_dir={tmp_path}/next", "net.width=8", "--init", str(first)) == 2
    assert capsys.readouterr().err == f"error: {first}: its net differs from net=unet of this experiment\n"


def test_a_run_does_not_go_back_and_start_at_once(tiny_train, tmp_path, capsys):
    assert tiny_train("--init", "a.ckpt", "--from", "b.ckpt") == 2
    assert "give only one of them" in capsys.readouterr().err

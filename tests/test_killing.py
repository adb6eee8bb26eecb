"""A training that is killed by SIGKILL, and resumed."""

from benchmarks import killing


def test_a_run_that_is_killed_three_times_ends_as_the_unbroken_one(tmp_path, capsys):
    size = ["--epochs", "2", "--batches", "12", "--kills", "3", "--workers", "1"]
    assert killing.main(["--out", str(tmp_path / "runs"), *size]) == 0
    assert "3 kills" in capsys.readouterr().out

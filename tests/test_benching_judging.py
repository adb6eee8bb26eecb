"""An evaluation that is measured in parts."""

import pytest

from colorgan.benching import judging
from colorgan.benching.timing import Recorder
from colorgan.evaluation.evaluation import evaluate
from colorgan.evaluation.predictors import ModelPredictor
from colorgan.evaluation.results import summarize
from colorgan.metrics.networks import FeatureNetworks
from tests.hinting import obedient
from tests.test_benching_timing import Steps


def test_an_evaluation_in_parts_is_the_evaluation(tmp_path):
    judging._write_pictures(tmp_path, 3, 40)
    dataset = judging._HeldDataset(tmp_path)
    predictor, networks = (
        ModelPredictor("mine", obedient(), {}),
        FeatureNetworks(None, dataset.classes, ["lpips", "fid"]),
    )
    whole = evaluate(dataset, "", [predictor], networks, 32, lambda done: None).results
    recorder = Recorder(Steps())
    recorder.enter(0)
    summaries = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "summarize", lambda *given: summaries.append(summarize(*given)))
        judging._evaluate_in_parts(dataset, predictor, networks, 32, recorder)
    assert summaries[0]["systems"] == whole["systems"]
    assert list(recorder.totals()[0]) == list(judging.PARTS)

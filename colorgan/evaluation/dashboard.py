"""The table and the gallery of an evaluation in Weights & Biases."""

import wandb

from colorgan.evaluation.evaluation import Evaluation
from colorgan.evaluation.results import as_rows


def log_evaluation(evaluation: Evaluation) -> None:
    """Logs `evaluation/table`, `evaluation/gallery` and a summary of each system, if a W&B run is active."""
    run = wandb.run
    if run is None:
        return
    columns, *rows = as_rows(evaluation.results)
    table = wandb.Table(columns=columns, data=rows)
    for name, values in evaluation.results["systems"].items():
        means = {key: value["mean"] for key, value in values.items() if value["mean"] is not None}
        run.summary.update({f"evaluation/{name}/{key}": mean for key, mean in means.items()})
    columns = list(evaluation.shown[0].pictures)
    pictures = wandb.Table(columns=["picture", *columns])
    for shown in evaluation.shown:
        versions = [wandb.Image(shown.pictures[name].permute(1, 2, 0).numpy()) for name in columns]
        pictures.add_data(evaluation.names[shown.row], *versions)
    run.log({"evaluation/table": table, "evaluation/gallery": pictures})

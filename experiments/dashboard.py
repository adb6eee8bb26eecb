"""Build the dashboard of a project of W&B: `python experiments/dashboard.py ENTITY/PROJECT`, or `--json FILE` offline.

The panels show what runs of colorgan log, over the pictures seen. With `--grouped` the seeds of an experiment, as
`colorgan compare` groups them, are one line with their range. Needs `pip install wandb-workspaces`.
"""

import argparse
import json
from pathlib import Path

import wandb_workspaces.reports.v2 as reports
import wandb_workspaces.workspaces as workspaces

PICTURES = "pictures"
QUALITY = {  # title -> metrics, those of gray pictures beside ours
    "ab error (Lab)": ["val/ab_error", "val/gray_ab_error"],
    "PSNR (dB)": ["val/psnr", "val/gray_psnr"],
    "colorfulness": ["val/colorfulness", "val/true_colorfulness"],
    "distance of the distributions of color": ["val/color_distance"],
}
LOSSES = {
    "color loss": ["train/color_loss"],
    "losses of a GAN": ["train/adversarial_loss", "train/discriminator_loss"],
    "accuracy of the discriminator": ["train/real_accuracy", "train/fake_accuracy"],
}
OPTIMIZERS = {
    "gradient norms": ["train/generator_gradient_norm", "train/discriminator_gradient_norm"],
    "learning rates": ["train/generator_lr", "train/discriminator_lr"],
    "pictures a second": ["train/images_per_second"],
}
GUARD = {
    "rollbacks and left-out batches": ["guard/rollbacks", "train/skipped_batches"],
    "spread of colors, as a share of the truth's": ["guard/spread_within", "guard/spread_between"],
    "ab error of the trained weights": ["guard/ab_error", "guard/gray_ab_error"],
}


def make_workspace(entity: str, project: str, grouped: bool) -> workspaces.Workspace:
    """Make the dashboard; nothing is sent before it is saved."""
    groups = [workspaces.Metric("Group")] if grouped else []
    images = [
        reports.MediaBrowser(title="gray, predicted, true", media_keys=["val/samples"], num_columns=1),
        reports.WeavePanelSummaryTable(table_name="val/pictures"),
    ]
    return workspaces.Workspace(
        entity=entity,
        project=project,
        name="colorgan",
        auto_generate_panels=False,
        sections=[
            _section("Quality", _lines(QUALITY)),
            _section("Pictures", images),
            _section("Losses", _lines(LOSSES)),
            _section("Optimizers", _lines(OPTIMIZERS)),
            _section("Collapse", _lines(GUARD)),
        ],
        settings=workspaces.WorkspaceSettings(x_axis=PICTURES),
        runset_settings=workspaces.RunsetSettings(groupby=groups),
    )


def _lines(metrics: dict[str, list[str]]) -> list[reports.LinePlot]:
    return [
        reports.LinePlot(title=title, x=PICTURES, y=keys, title_x="pictures seen", groupby_rangefunc="minmax")
        for title, keys in metrics.items()
    ]


def _section(name: str, panels: list) -> workspaces.Section:
    return workspaces.Section(name=name, panels=panels, is_open=True)


def as_json(workspace: workspaces.Workspace) -> dict:
    """Return what `workspace.save` would send, which wandb-workspaces has no public function for."""
    return json.loads(workspace._to_model().spec.model_dump_json(by_alias=True, exclude_none=True))


def main() -> None:
    """Save the dashboard in W&B, or write its JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("place", metavar="ENTITY/PROJECT", nargs="?", help="left out with --json")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the JSON to this file, and send nothing")
    parser.add_argument("--grouped", action="store_true", help="one line for all seeds of an experiment")
    args = parser.parse_args()
    if args.json:
        args.json.write_text(
            json.dumps(as_json(make_workspace("", "", args.grouped)), indent=1) + "\n", encoding="utf-8"
        )
        return
    entity, _, project = (args.place or "").partition("/")
    if not project:
        parser.error("where: write ENTITY/PROJECT, or --json FILE")
    make_workspace(entity, project, args.grouped).save()


if __name__ == "__main__":
    main()

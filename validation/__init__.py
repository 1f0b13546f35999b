"""Real networks, trained with torch: an independent witness of what `linreg_dyn` predicts.

It shares no update code with `linreg_dyn`, only problems, schedules and the predictions of `linreg_dyn.ntk`. An
experiment is data (`core.Experiment`): what the paper says, the settings of each scale, the predictions and their
tolerances, written before the run. Running it writes a record (`records`), which is never made twice for the same
spec; `python -m validation next` runs what is missing in the minutes it is given.

Experiments of one's own are a Python file with a list `EXPERIMENTS`, such as this `my_experiment.py`:

    from validation.core import Experiment, Measured, Prediction, Setting
    from validation.experiments.common import dataset, network
    from validation.train import Recipe, fit

    def measure(values, seed, context):
        data = dataset(values, context, seed)
        model = network(values["model"], data, seed)
        trained = fit(model, data, Recipe(100, 32, values["rate"], seed=seed), device=context.device)
        return Measured({"fall": float(trained.losses[-20:].mean() - trained.losses[:20].mean())})

    QUICK = {"data": "digits", "train": 300, "model": {"name": "fc", "width": 16, "depth": 1}, "rate": 0.1}
    FALLS = Prediction("fall", "the mean loss of 20 steps falls", high=0.0)
    EXPERIMENTS = [
        Experiment("own.fall", "The loss falls", "ours", "SGD lowers it.", {"quick": Setting(QUICK, (FALLS,))}, measure)
    ]

`python -m validation run --from my_experiment.py` runs them; `list`, `show`, `next`, `report` and `clean` take the same
option, and are about that file's experiments alone. An experiment with one scale is run at that one. Their records are
kept beside the file, in `records/`, and what is unfinished in `.work/`. Long trainings go through `Context.once`, with
`Context.checkpoint` and the deadline, so that they stop in time and go on later. What is unfinished is begun anew after
the file was edited; what it imports from elsewhere is not looked at. A record stays: edit `values` or the predictions
too, and it is that of another spec.
"""

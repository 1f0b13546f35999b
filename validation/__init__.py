"""Real networks, trained with torch: an independent witness of what `linreg_dyn` predicts.

It shares no update code with `linreg_dyn`, only problems, schedules and the predictions of `linreg_dyn.ntk`. An
experiment is data (`core.Experiment`): what the paper says, the settings of each scale, the predictions and their
tolerances, written before the run. Running it writes a record (`records`), which is never made twice for the same
spec; `python -m validation next` runs what is missing in the minutes it is given.
"""

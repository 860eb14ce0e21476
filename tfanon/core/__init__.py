"""What every other package builds on.

- `config`, `grid`: flags, flag files, and the trials of a sweep.
- `registry`, `component_spec`: networks, data sets and attacks by name, and their options.
- `files`, `checkpoint`: files that appear only when they are complete, locks, checkpoints.
- `command_line`, `exit_status`, `startup`, `keras_setup`, `processes`: how commands start and end.
"""

# Each target works on a fresh machine: it first creates its own environment in .venv.
PYTHON ?= python3
VENV ?= .venv

SWEEP = $(VENV)/bin/python -m tfanon.sweep --parallel=3
SEEDS = --grid=seed=0,1,2
SYNTHETIC = $(SWEEP) --sweep_dir=runs/evaluate --evaluate=quick --attackers=fresh,reconstruction:width=0.5 --noclips
BUDGET = --flagfile=configs/evaluate.flags
OURS = --flagfile=configs/quickstart.flags $(BUDGET)
WEIZMANN = $(SWEEP) --flagfile=configs/weizmann_utkface.flags --flagfile=configs/evaluate_weizmann.flags --data_dir=$(DATA)
REAL = $(WEIZMANN) --sweep_dir=runs/evaluate_weizmann --evaluate=quick --attackers=fresh,whole_video,identity
# Utility only, with each actor left out in turn.
FOLDS = $(WEIZMANN) --sweep_dir=runs/weizmann_folds --clip_private_columns= --epochs_action=150 --epochs_privacy=1 \
    --baselines=raw,downsample:factor=8 --grid=split_column=identity=daria,identity=denis,identity=eli,identity=ido,$\
    identity=ira,identity=lena,identity=lyova,identity=moshe,identity=shahar
REPORT = $(VENV)/bin/python -m tfanon.report runs/evaluate $(if $(DATA),runs/evaluate_weizmann) --output=runs/evaluate/report

.PHONY: quickstart test lint evaluate evaluate_synthetic evaluate_real ablations clean

quickstart: $(VENV)/installed
	$(VENV)/bin/python -m tfanon.train --flagfile=configs/quickstart.flags

test: $(VENV)/installed
	$(VENV)/bin/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder

# Formatting, style and types; `$(VENV)/bin/ruff format .` and `$(VENV)/bin/ruff check --fix .` repair most of it.
lint: $(VENV)/installed
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

# Train and attack, on the synthetic data: several B and lambda (0 is SPAct), the objectives of other papers, and every
# fixed anonymizer; three trials at once. 36 minutes on two cores. Re-running the same command resumes after any
# interruption; what trials share is computed once. `make evaluate DATA=FOLDER` also evaluates on FOLDER/weizmann and
# FOLDER/utkface, in two hours.
evaluate: evaluate_synthetic $(if $(DATA),evaluate_real)
	$(REPORT)

evaluate_synthetic: $(VENV)/installed
	$(SYNTHETIC) --grids=configs/evaluate.grids $(SEEDS)

evaluate_real: $(VENV)/installed
	$(REAL) --grids=configs/evaluate_weizmann.grids $(SEEDS)
	$(FOLDS)
	$(VENV)/bin/python -m tools.seeds runs/weizmann_folds/split_column=*

# What docs/findings.md reports beyond that, in the same folders: lambda = 30, f_B's batch statistics, VITA's variants.
ablations: $(VENV)/installed
	$(SYNTHETIC) $(OURS) --grid=penalty_bound=.1 --grid=penalty_weight=30 $(SEEDS)
	$(SYNTHETIC) $(OURS) --grid=penalty_bound=.1 --grid=penalty_weight=5 --grid=budget_batch_norm=inference $(SEEDS)
	$(SYNTHETIC) --flagfile=configs/quickstart_vita.flags $(BUDGET) --grid=objective=vita \
	    --grid=vita_variant=negative_entropy,k_beam $(SEEDS)
	$(if $(DATA),$(REAL) --grid=penalty_bound=.1 --grid=penalty_weight=30 $(SEEDS))
	$(REPORT)

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --editable ".[test,lint,litert,serving,onnx]"
	touch $@

clean:
	rm -rf $(VENV) data runs

# These commands do everything on a fresh machine. Each makes its own environment in .venv first.
PYTHON ?= python3
VENV ?= .venv

SWEEP = $(VENV)/bin/python -m tfanon.sweep --sweep_dir=runs/evaluate --parallel=2 \
    --evaluate=quick --attackers=fresh,reconstruction:width=0.5 --noclips
BUDGET = --flagfile=configs/evaluate.flags
OURS = --flagfile=configs/quickstart.flags $(BUDGET)
SEEDS = --grid=seed=0,1,2
WEIZMANN = $(VENV)/bin/python -m tfanon.sweep --parallel=2 --flagfile=configs/weizmann_utkface.flags \
    --flagfile=configs/evaluate_weizmann.flags --data_dir=$(DATA)
REAL = $(WEIZMANN) --sweep_dir=runs/evaluate_weizmann --evaluate=quick --attackers=fresh,whole_video,identity
TED_SPAD = --objective=ted_spad --utility_weight=0.7
VITA = --objective=vita --ensemble=small_resnet --budget_weight=0.5 --restart_every=50
# The action alone, each actor left out in turn.
FOLDS = $(WEIZMANN) --sweep_dir=runs/weizmann_folds --clip_private_columns= --epochs_action=150 --epochs_privacy=1 \
    --baselines=raw,downsample:factor=8 --grid=split_column=identity=daria,identity=denis,identity=eli,identity=ido,$\
    identity=ira,identity=lena,identity=lyova,identity=moshe,identity=shahar

.PHONY: quickstart test evaluate clean

quickstart: $(VENV)/installed
	$(VENV)/bin/python -m tfanon.train --flagfile=configs/quickstart.flags

test: $(VENV)/installed
	$(VENV)/bin/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder

# On the synthetic data: B and lambda (0 is SPAct), the objectives of others, every fixed anonymizer, each attacked; two
# points at once, what most is learnt from first.
# Runs for hours; the same command goes on where it was stopped, and what points share is computed once.
# `make evaluate DATA=FOLDER` does the same on FOLDER/weizmann and FOLDER/utkface.
evaluate: $(VENV)/installed
	$(SWEEP) $(OURS) --grid=penalty_bound=.1 --grid=penalty_weight=5,30,1,0 $(SEEDS)
	$(SWEEP) $(OURS) --grid=penalty_bound=.05,.9 --grid=penalty_weight=5 $(SEEDS)
	$(SWEEP) $(OURS) --grid=penalty_bound=.1 --grid=penalty_weight=5 --grid=budget_batch_norm=inference $(SEEDS)
	for objective in vita ted_spad mass; do $(SWEEP) --flagfile=configs/quickstart_$$objective.flags $(BUDGET) \
	    --grid=objective=$$objective $(SEEDS) || exit 1; done
	$(SWEEP) --flagfile=configs/quickstart_vita.flags $(BUDGET) --grid=objective=vita \
	    --grid=vita_variant=negative_entropy,k_beam $(SEEDS)
	$(SWEEP) --flagfile=configs/quickstart_stprivacy.flags $(BUDGET) --epochs_reconstruct=20 \
	    --grid=objective=stprivacy $(SEEDS)
	$(if $(DATA),$(REAL) --grid=penalty_weight=30,0,5,1 $(SEEDS))
	$(if $(DATA),$(FOLDS))
	$(if $(DATA),$(VENV)/bin/python -m tools.seeds runs/weizmann_folds/split_column=*)
	$(SWEEP) $(OURS) --grid=penalty_bound=.05,.1,.2,.3,.9 --grid=penalty_weight=1,5 $(SEEDS)
	$(if $(DATA),$(REAL) $(TED_SPAD) --grid=objective=ted_spad $(SEEDS))
	$(if $(DATA),$(REAL) --grid=penalty_bound=.05,.2,.3,.9 --grid=penalty_weight=5,1 $(SEEDS))
	$(if $(DATA),$(REAL) $(VITA) --grid=objective=vita $(SEEDS))
	$(VENV)/bin/python -m tfanon.report runs/evaluate $(if $(DATA),runs/evaluate_weizmann) --output=runs/evaluate/report

$(VENV)/installed: setup.py
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --editable ".[test,litert,serving,onnx]"
	touch $@

clean:
	rm -rf $(VENV) data runs

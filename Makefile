# Two commands do everything on a fresh machine. Each makes its own environment in .venv first.
PYTHON ?= python3
VENV ?= .venv

.PHONY: quickstart test clean

quickstart: $(VENV)/installed
	$(VENV)/bin/python -m tfanon.train --flagfile=configs/quickstart.flags

test: $(VENV)/installed
	$(VENV)/bin/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder

$(VENV)/installed: setup.py
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --editable ".[test,litert,serving,onnx]"
	touch $@

clean:
	rm -rf $(VENV) data runs

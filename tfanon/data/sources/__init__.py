"""Data sets as their authors distribute them: one module per data set, named after it.

Files of your own need no module: `labelled_folder` reads any folder with a table of labels
(`--image_source=labelled_folder`). To add a data set with lists of its own, add a module to this
folder; nothing else has to change. `vispr` is the one to read and to copy. A module defines::

    def load(kind, folder, config) -> dict[str, Examples]: ...

* `kind` is what is wanted: "clips" (labelled with actions), "images" (labelled with private
  attributes) or "private_clips" (clips labelled with private attributes). Refuse the others with
  `data.published_split.check_kind`.
* `folder` is the folder of the data set, `--data_dir/NAME` unless a flag says otherwise.
* `config` is the `core.config.Config` of the experiment, for options such as `--attribute_set`.

It returns the rows of "train" and "test" as `data.batch.Examples`: paths with labels or
attributes; nothing is decoded here. Bad files raise ValueError that names folder, list and line.

`tfanon-data verify NAME`, `describe NAME` and `build NAME` work too if the module splits `load`
into

* `read(folder, data_dir) -> DatasetCatalog`: every row of the authors' lists, nothing selected, and
* `choose(kind, catalog, config) -> dict[str, Examples]`: what `load` returns, from the catalog,

and defines `KINDS` (the kinds it has), `PUBLISHED` (official counts, may be empty) and `ABOUT` (one
sentence: where to download it). A module with `read` also needs a builder of the same name in
`data.builders`, six lines long.
"""

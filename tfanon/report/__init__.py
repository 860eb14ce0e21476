"""One page about finished runs and sweeps, with its numbers as JSON, CSV and LaTeX.

`load_runs` reads the folders, `aggregate` combines attacks and seeds into one summary per
anonymizer, `sections`, `paired_differences` and `paper_tables` make tables, `plots` and `gallery`
pictures, and `page` writes the HTML.
"""

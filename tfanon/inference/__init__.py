"""Anonymized files and streams.

`anonymizer.Anonymizer` anonymizes frames; `loaders` loads its network. `video`, `live` and
`frame_streams` apply it to files, cameras and addresses; `jobs`, `job_runner` and `beam_pipeline`
to many files.
"""

"""An anonymizer as files that run without Keras.

`exporter` writes and proves them: `saved_model`, `tflite` and `onnx_file` make one format each from
the `signatures`, `compare` holds each file against Keras, `quality_check` measures its utility and
leakage, `measure` its time and memory. `serving` adds a SavedModel to a TensorFlow Serving folder.
"""

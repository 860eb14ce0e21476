"""Video and image files as streams of frames; the only package that imports PyAV."""

"""Numba kernels: arrays in, arrays out. They know nothing of frames, files or the rest of cjm."""

"""Sweeps: grids over many runs, computed on Dask workers, kept in one Zarr store.

    spec (a TOML file, checked)  ->  plan (chunks)  ->  compute (on workers)  ->  store (one writer)

A worker is given a chunk (some points of the grid, or a slice of one point's trajectories) and gives back the
finished shard files as bytes; it touches no disk. The process that was started by the user is the only one
that writes. So a shard has one writer wherever the workers run, workers need no common file system, whatever
kills a worker costs the chunk it was at and nothing else, and a worker cut off from its scheduler can do no harm.

Needs the extra `sweep` (Dask distributed and Zarr); nothing here is imported before a sweep is asked for.
"""

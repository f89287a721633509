"""The workloads W1 to W17, each a race of glassgrad against its peers: `glassgrad bench`.

One file a workload, `wNN_name.py`, holds the same computation as each library's users would write
it, and what glassgrad must reach. A peer is imported only where it takes part, in a process of its
own, so nothing here needs one.
"""

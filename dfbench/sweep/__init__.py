"""Studies of how far samplers are from exact: samplers × schedules × targets × budgets.

A *study* (`study`, TOML or a mapping) is multiplied out into *cells* (`cells`), each computed
(`compute`) and kept (`store`) by `run`, which then writes a table of *measurements*.

    from dfbench import bench
    outcome = bench("quick", "results")
"""

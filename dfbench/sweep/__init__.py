"""Studies of how far samplers are from exact: samplers × schedules × targets × budgets.

study → cells → measurements
"""

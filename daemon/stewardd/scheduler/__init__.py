"""What the daemon does at times, without a call: sweeps, and the expiry of what is kept long enough.

`job.py` is a piece of such work, `schedule.py` decides which jobs are due, and `scheduler.py` runs them.
"""

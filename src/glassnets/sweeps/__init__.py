"""Sweeps and searches: stages of the pipeline under other parameters, as independent tasks of any
`concurrent.futures.Executor`, with the bytes that one computer would have made.

What is asked is in `plan` (sweeps) and `space`, `search`; a task and the clean copy in which a
worker runs it in `tasks` and `copies`; what runs tasks in `executors` and `driver`; what came out
in `outcomes` and `tables`.
"""

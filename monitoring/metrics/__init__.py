"""What Prometheus reads.

No figure lives in the memory of a process: there are many, and any may die. Counters are totals in
the database (`totals`), which every scrape brings up to date; gauges are read from rows and Redis
(`gauges`). Whichever web process is asked gives the same answer.
"""

"""Interactive Brokers: one process owns the socket, the workers talk to it through the database.

`adapter` is what workers use, `gateway` the process. The gateway's main thread writes the
ledger and decides what is sent (`gateway`, `ledger`, `order_state`, `error_codes`); a second thread
runs the event loop with the socket (`connection`, `callbacks`), and a third waits to be woken by
the workers (`wakeup`).
"""

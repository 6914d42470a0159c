"""Paper orders of tests are filled at the recorded prices, unless a test sets an impact itself.

Loaded with pytest's own options: before any configuration is read, and for the processes that tests
start as well.
"""

import os

os.environ.setdefault("PAPER__IMPACT__COEFFICIENT", "0")

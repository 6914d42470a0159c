#!/usr/bin/env python
from deepstack.manage import main

if __name__ == "__main__":
    main()

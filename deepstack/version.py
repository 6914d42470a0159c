VERSION = "1.0.0"  # pyproject.toml names the same

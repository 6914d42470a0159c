"""What a scanner would ask of every address: who gets in, by which method, with which headers."""

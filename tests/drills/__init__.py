"""Drills: a server, a machine, a release is lost while orders are worked (`make drill`)."""

from pathlib import Path

import pytest
from pydantic_settings import SettingsConfigDict

from deepstack.config import Config


@pytest.fixture
def here(tmp_path: Path) -> type[Config]:
    """A configuration that reads `.env` and `config.yaml` of an empty folder."""

    class Here(Config):
        model_config = SettingsConfigDict(
            env_file=tmp_path / ".env", yaml_file=tmp_path / "config.yaml"
        )

    return Here

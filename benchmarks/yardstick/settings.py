"""Django's settings of the yardstick, which uses the database of the service's benchmark."""

import os

import dj_database_url

SECRET_KEY = "signs nothing"  # noqa: S105
INSTALLED_APPS = ["benchmarks.yardstick"]
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"], conn_max_age=None)}
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

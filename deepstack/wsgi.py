import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deepstack.settings")
_django = get_wsgi_application()

from deepstack import observability  # noqa: E402  it needs the settings
from deepstack.web.request_lanes import Lanes  # noqa: E402  the same

observability.take_part("web")
application = Lanes(_django)

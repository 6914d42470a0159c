"""Django's settings, derived from the typed configuration."""

import secrets
from pathlib import Path

import django_stubs_ext

from deepstack import admin_site, database, logs, observability
from deepstack import config as configuration
from deepstack.local import embedded_servers
from deepstack.version import VERSION

django_stubs_ext.monkeypatch()

CONFIG = configuration.current()
BASE_DIR = configuration.ROOT

DEBUG = CONFIG.debug
# Without a key of its own a process can sign nothing that another would accept.
SECRET_KEY = CONFIG.secret_key.get_secret_value() or secrets.token_urlsafe(50)
ALLOWED_HOSTS = CONFIG.allowed_hosts
# Under any other name the web is reached with HTTPS alone.
PLAIN_HTTP_NAMES = ["localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",  # before the admin whose templates it replaces
    "deepstack.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "execution.apps.ExecutionConfig",
    "monitoring.apps.MonitoringConfig",
]

MIDDLEWARE = [
    "deepstack.web.content_policy.ContentPolicyMiddleware",
    "deepstack.web.compression.CompressionMiddleware",
    "deepstack.web.write_log.WriteLogMiddleware",
    "deepstack.web.problem_json.ProblemMiddleware",
    "deepstack.web.encrypted_only.EncryptedOnlyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "deepstack.web.store_down.StoreDownMiddleware",
    "deepstack.exchange_zone.ExchangeZoneMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "deepstack.web.problem_json.SlashMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "deepstack.web.session_limits.SessionLimitsMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "execution.access.login_gate.SecondFactorMiddleware",
    "execution.orders.caller.CallerMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

CSRF_FAILURE_VIEW = "deepstack.web.problem_json.csrf_failure"
# Below /api/ and /admin/. A list of 5,000 orders fits; one order has a bound of its own.
MOST_BODY_BYTES = 4 * 1024 * 1024
MOST_QUERY_BYTES = 8_000

AUTHENTICATION_BACKENDS = ["deepstack.web.login_backend.ThrottledBackend"]

ROOT_URLCONF = "deepstack.urls"
WSGI_APPLICATION = "deepstack.wsgi.application"
ASGI_APPLICATION = "deepstack.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],  # before those of any package
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": database.entry(CONFIG.database_url or embedded_servers.running().database_url)
}
REDIS_URL = CONFIG.redis_url or embedded_servers.addresses().redis_url
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en-us"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["deepstack.formats"]
STATIC_URL = "static/"
UNFOLD = admin_site.LOOK
WHITENOISE_USE_FINDERS = True  # served from where the packages keep them, nothing to collect

OTP_TOTP_ISSUER = "DeepStack Execution"
OTP_TOTP_SYNC = False  # one step off is tolerated, not followed
OTP_TOTP_THROTTLE_FACTOR = 0  # `execution.access.second_factor` bounds the wait

# `deepstack.web.session_limits` ends sessions sooner.
SESSION_COOKIE_AGE = int(CONFIG.session_hours * 3600)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = CONFIG.https
SECURE_HSTS_SECONDS = 31_536_000 if CONFIG.https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = CONFIG.https
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if CONFIG.https else None
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "execution.access.tokens.ProvenToken",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["execution.api.permissions.ModelPermissions"],
    "DEFAULT_FILTER_BACKENDS": ["execution.api.filters.KnownFilters"],
    "DEFAULT_PAGINATION_CLASS": "execution.api.filters.NewestFirst",
    "EXCEPTION_HANDLER": "execution.api.errors.handle",
    "DEFAULT_PARSER_CLASSES": ["execution.api.parsers.BoundedJSON"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    # Half a character that came in cannot be written as UTF-8; as an escape it can.
    "UNICODE_JSON": False,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "PAGE_SIZE": 50,
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "DeepStack Execution",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "execution.api.openapi.add_problems",
    ],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # Several models have a "status" or a "state"; the document names each set of values once.
    "ENUM_NAME_OVERRIDES": {
        "OrderStatus": "execution.models.orders.ORDER_STATUSES",
        "SliceStatus": "execution.models.orders.SLICE_STATUSES",
        "EventKind": "execution.models.orders.EVENT_KINDS",
        "Via": "execution.models.orders.Via",
        "TradingStateValue": "execution.models.trading_states.TradingState.State",
    },
}

LOGGING_CONFIG = None
logs.configure(level=CONFIG.log_level, file=CONFIG.log_file)
observability.begin(CONFIG)

FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /srv/deepstack

# Time zones come from the tzdata package; the slim image has none.
# requirements-observability adds what traces and error reports need, requirements-single-sign-on
# what logins by OpenID Connect need; several are separated by blanks.
ARG REQUIREMENTS=requirements
COPY requirements.lock requirements-observability.lock requirements-single-sign-on.lock ./
RUN for name in ${REQUIREMENTS}; do pip install --require-hashes -r ${name}.lock || exit 1; done

COPY . .
RUN useradd --system --uid 10001 --home-dir /srv/deepstack deepstack \
    && mkdir -p logs var \
    && chown deepstack logs var
USER deepstack

EXPOSE 8000
CMD ["gunicorn", "deepstack.wsgi", "--no-control-socket", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "42", "--timeout", "30", "--keep-alive", "75", "--limit-request-line", "8190", "--worker-class", "deepstack.web.gunicorn_worker.Worker"]

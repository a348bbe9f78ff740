# The image of every process of Stammkunde; docker-compose.yml says which command runs where.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /srv/stammkunde

COPY requirements/core.txt requirements/core.txt
RUN pip install --require-hashes --requirement requirements/core.txt

COPY manage.py pyproject.toml ./
COPY config config
COPY crm crm
COPY loyalty loyalty
COPY campaigns campaigns
COPY templates templates
COPY static static
COPY locale locale
# The addresses are parsed and never called.
RUN SECRET_KEY=only-to-collect-static-files-only-to-collect-them \
    LINK_KEY=only-to-collect-static-files-only-to-collect-them \
    SEAL_KEY=only-to-collect-static-files-only-to-collect-them \
    DATABASE_URL=postgres://app@127.0.0.1/none REDIS_URL=redis://127.0.0.1/0 \
    python manage.py collectstatic --noinput --verbosity 0 \
 && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin stammkunde
USER 10001

ENV BIND_ADDRESS=0.0.0.0 PORT=8000
EXPOSE 8000
CMD ["python", "-m", "gunicorn", "--config", "config/gunicorn.py", "config.wsgi"]

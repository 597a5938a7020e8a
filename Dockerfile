# One image for the API, the worker and the migrations; the engines run elsewhere (see compose.yaml).

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/partywall
WORKDIR /source
# A layer of their own: the locked dependencies change less often than the program.
COPY requirements/runtime.txt requirements/
RUN /opt/partywall/bin/pip install --require-hashes --requirement requirements/runtime.txt
COPY pyproject.toml README.md ./
COPY migrations migrations
COPY src src
RUN /opt/partywall/bin/pip install --no-deps --no-build-isolation . \
    && /opt/partywall/bin/pip uninstall --yes pip \
    && /opt/partywall/bin/python -m compileall -q /opt/partywall/lib

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --home-dir /data partywall \
    && install --directory --owner partywall --mode 0700 /data
COPY --from=build /opt/partywall /opt/partywall
ENV PATH=/opt/partywall/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ENVIRONMENT=production \
    DATABASE__ENGINE=server \
    CACHE__ENGINE=server \
    DATA_DIR=/data
USER partywall
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["partywall"]
CMD ["api", "--host", "0.0.0.0", "--port", "8000"]

# Two images: `service` answers requests and holds no torch; `worker` trains.
FROM python:3.12-slim-bookworm AS python
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1
RUN useradd --create-home --uid 10001 etude

FROM python AS wheel
WORKDIR /build
COPY requirements/build.txt requirements/
RUN pip install --require-hashes --requirement requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY schedules schedules
COPY search search
COPY service service
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python AS service-packages
RUN python -m venv /opt/etude
COPY requirements/service.txt requirements/
RUN /opt/etude/bin/pip install --require-hashes --requirement requirements/service.txt
COPY --from=wheel /wheels /wheels
RUN /opt/etude/bin/pip install --no-deps /wheels/*.whl

FROM python AS worker-packages
RUN python -m venv /opt/etude
COPY requirements/worker.txt requirements/torch.txt requirements/
RUN /opt/etude/bin/pip install --no-deps --require-hashes --requirement requirements/worker.txt
RUN /opt/etude/bin/pip install --requirement requirements/torch.txt
COPY --from=wheel /wheels /wheels
RUN /opt/etude/bin/pip install --no-deps /wheels/*.whl

FROM python AS service
COPY --from=service-packages /opt/etude /opt/etude
RUN install --directory --owner=etude --group=etude /var/lib/etude
ENV PATH=/opt/etude/bin:$PATH \
    ETUDE_DATA_DIR=/var/lib/etude \
    ETUDE_HOST=0.0.0.0 \
    ETUDE_PORT=8000 \
    ETUDE_WORKERS=0
WORKDIR /var/lib/etude
VOLUME /var/lib/etude
USER etude
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["etude", "serve"]

FROM python AS worker
COPY --from=worker-packages /opt/etude /opt/etude
ENV PATH=/opt/etude/bin:$PATH
WORKDIR /home/etude
USER etude
HEALTHCHECK NONE
CMD ["etude", "worker", "--device", "all"]

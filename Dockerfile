# pycheck with a browser of each engine:
#   docker build --tag pycheck .
#   docker run --rm --volume "$PWD:/work" --user "$(id -u):$(id -g)" pycheck check
# Without a GPU, WebGL and WebGPU run on software renderers, and every report says so.

# The build brings a Node, which builds the page that runs in browsers.
FROM python:3.11-slim-bookworm AS wheel
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim-bookworm
# The packages are those that `pycheck doctor --install` brings; libatomic1 is for Playwright's own Node.
RUN apt-get update -qq \
    && apt-get install -qq --yes --no-install-recommends \
        chromium firefox-esr libwebkit2gtk-4.1-0 xvfb libegl1 libgl1-mesa-dri libatomic1 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=wheel /wheels /wheels
RUN set -- /wheels/*.whl && pip install --no-cache-dir "$1[tensorflow]"
# Any user may run it: what Python computed is kept here, where a volume may be mounted.
ENV HOME=/tmp/home PYCHECK_CACHE_DIR=/cache
RUN mkdir --mode 1777 /tmp/home /cache
WORKDIR /work
ENTRYPOINT ["pycheck"]
CMD ["--help"]

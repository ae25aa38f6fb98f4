# One binary and its site. `make container` builds it; where Docker is missing, scripts/container runs these steps.

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
# Downloads and compiled dependencies stay in the cache mounts; only /out leaves this stage.
ENV ESE_CACHE=/cache
RUN --mount=type=cache,target=/cache --mount=type=cache,target=/usr/local/cargo/registry \
    scripts/setup && scripts/build --release --out /out

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --home-dir /data --create-home --shell /usr/sbin/nologin ese
COPY --from=build /out /opt/ese
ENV DATA_DIR=/data LISTEN=0.0.0.0:3000 LEPTOS_SITE_ROOT=/opt/ese/site
USER ese
WORKDIR /data
VOLUME /data
EXPOSE 3000
# For `serve`; a worker answers no requests, and compose.yaml switches this off for it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD curl --fail --silent --show-error --output /dev/null http://127.0.0.1:3000/healthz
ENTRYPOINT ["/opt/ese/ese"]
CMD ["serve"]

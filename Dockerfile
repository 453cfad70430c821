# syntax=docker/dockerfile:1
# The node, with icn-cli beside it:
#
#   docker build --tag icn-node .
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# The caches are the builder's, not the image's: what was built moves out of them in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package icn-node --package icn-cli \
    && cp target/release/icn-node target/release/icn-cli /usr/local/bin/

FROM debian:bookworm-slim
# Certificates for encrypted connections to others, curl for the health check.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --user-group --home-dir /var/lib/icn --shell /usr/sbin/nologin icn \
    && install --directory --owner=1000 --group=1000 --mode=700 /var/lib/icn
COPY --from=build /usr/local/bin/icn-node /usr/local/bin/icn-cli /usr/local/bin/
COPY configs/production.toml /etc/icn/config.toml
WORKDIR /var/lib/icn
# The profile that the node writes: in the container icn-cli needs no flags.
ENV ICN_PROFILE=/var/lib/icn/cli.toml
VOLUME /var/lib/icn
USER 1000:1000
# The interface and other nodes. Metrics have no key; the configuration says whether anybody but this container reaches them.
EXPOSE 7845 7000
# Alive, not ready: a node that catches up is to be left alone. The metrics port speaks plain HTTP, whatever the interface does.
HEALTHCHECK --interval=15s --timeout=5s --start-period=10m \
    CMD curl --fail --silent --show-error --max-time 4 "http://${ICN_MONITORING_METRICS_BIND_ADDR:-127.0.0.1:9090}/health"
CMD ["icn-node", "--config", "/etc/icn/config.toml"]

# syntax=docker/dockerfile:1
#
# The gateway alone. It needs a PostgreSQL of yours: there is none in the image, so the
# embedded default (no `database:` in the YAML) does not work here.
#
#   docker build -t portcullis .
#   docker run --rm -e PORTCULLIS_MIGRATE_URL="$OWNER_URL" -e DATABASE_URL \
#       -v "$PWD/portcullis.yaml:/etc/portcullis/portcullis.yaml:ro" portcullis migrate
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges \
#       -e DATABASE_URL -p 8080:8080 \
#       -v portcullis-data:/var/lib/portcullis \
#       -v "$PWD/portcullis.yaml:/etc/portcullis/portcullis.yaml:ro" portcullis
#
# The YAML must say `listen: 0.0.0.0:8080` and `data_dir: /var/lib/portcullis`. Keep that
# volume: it holds the audit events that have not reached PostgreSQL yet.

FROM rust:1.95-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends cmake libclang-dev libssl-dev libxml2-dev libxmlsec1-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# .cargo/config.toml says SQLX_OFFLINE: there is no database here to ask about queries.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --profile dist --locked --bin portcullis \
    && install -D target/dist/portcullis /out/portcullis

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 libxml2 libxmlsec1-openssl \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 portcullis \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/portcullis --shell /usr/sbin/nologin portcullis \
    && install -d -o 10001 -g 10001 -m 0750 /var/lib/portcullis
COPY --from=build /out/portcullis /usr/local/bin/portcullis
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
ENV PORTCULLIS_CONFIG=/etc/portcullis/portcullis.yaml
VOLUME /var/lib/portcullis
EXPOSE 8080
# No HEALTHCHECK: ask /livez and /readyz on the private listener (127.0.0.1:9090 unless
# `private_listen` says otherwise).
ENTRYPOINT ["/usr/local/bin/portcullis"]
CMD ["serve"]

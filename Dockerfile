# The image of the operator: one binary, no shell, not root.
#
#   docker build -t registry.example.com/punctual:0.1.0 .
#
# Both base images are arguments, so that a mirror or a digest can stand in their place:
#
#   docker build --build-arg BUILD_IMAGE=mirror.example.com/rust:1.95-bookworm \
#                --build-arg BASE_IMAGE=mirror.example.com/distroless/cc-debian12@sha256:… .

# Compiles. Its C library must not be newer than the one of BASE_IMAGE: bookworm is Debian 12.
ARG BUILD_IMAGE=rust:1.95-bookworm
# Runs. It must bring a C library and libgcc; nothing else is used. CA certificates are not
# needed: the API server's comes with the service account.
ARG BASE_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
WORKDIR /src

# The only step that needs the network. It is repeated only when the dependencies change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src && touch src/lib.rs && cargo fetch --locked

COPY src ./src
RUN cargo build --locked --offline --release --bin punctual

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="punctual" \
      org.opencontainers.image.description="Runs Jobs on a schedule: never twice, never silently not" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY LICENSE /LICENSE
COPY --from=build /src/target/release/punctual /punctual

# By number, so that the kubelet can tell that it is not root.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/punctual"]
CMD ["run"]

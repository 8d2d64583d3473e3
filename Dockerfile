# The gateway or a worker in a container: a build stage, and a slim image with one platform's runtime alone.
# docker build -t bedside . ; docker buildx build --platform linux/amd64,linux/arm64 -t bedside .
FROM node:22.23.4-bookworm-slim AS build
WORKDIR /build
# The runtime's install script fetches GPU libraries, which nothing here uses.
ENV ONNXRUNTIME_NODE_INSTALL=skip
COPY package.json package-lock.json ./
COPY web/package.json web/
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run --silent build && npm prune --omit=dev --ignore-scripts --no-audit --no-fund
# ONNX Runtime brings the libraries of every system and processor; only those of this image stay. The link leads to
# the pages' sources, which are not copied.
RUN arch="$(node -p process.arch)" \
  && find node_modules/onnxruntime-node/bin -mindepth 2 -maxdepth 2 -type d ! -path '*/linux' -exec rm -rf {} + \
  && find node_modules/onnxruntime-node/bin/*/linux -mindepth 1 -maxdepth 1 -type d ! -name "$arch" -exec rm -rf {} + \
  && test -d node_modules/onnxruntime-node/bin/*/linux/"$arch" \
  && rm -f node_modules/bedside-web

FROM node:22.23.4-bookworm-slim
ENV NODE_ENV=production ORT_DISABLE_TELEMETRY=1
WORKDIR /opt/bedside
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
COPY --from=build /build/models models
# Nothing of the program belongs to the user that runs it.
RUN mkdir -p /var/lib/bedside && chown node:node /var/lib/bedside
USER node
EXPOSE 8500
STOPSIGNAL SIGTERM
# Alive, not ready: a gateway that waits for its devices must not be restarted. An address off this machine speaks TLS.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "const u=process.env.BEDSIDE_HEALTH||'http://127.0.0.1:8500/v2/health/live';process.env.NODE_TLS_REJECT_UNAUTHORIZED='0';fetch(u).then((r)=>process.exit(r.ok?0:1),()=>process.exit(1))"]
ENTRYPOINT ["node", "/opt/bedside/dist/cli/main.js"]
CMD ["--help"]

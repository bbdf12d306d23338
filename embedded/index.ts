/**
 * A real PostgreSQL without installing one: for development, demonstrations and tests. Never for production; that is
 * for the caller to decide. The why is in docs/decisions/embedded-postgresql.md. Uses Node and `pg`, nothing of ours.
 *
 *   supervisor.ts   opens a data folder and keeps its server running
 *   reset.ts        removes its database; finds a running one
 *   throwaway.ts    a cluster for one run of tests or benchmarks
 *   owner.ts        one owner at a time: start or adopt the server, take the lock
 *   place.ts        where the cluster is; account.ts who runs it; binaries.ts with what; secrets.ts its passwords
 *   cluster.ts      initdb and pg_ctl; postmaster.ts reads the server's lock file
 */
export { ClusterUnusable, DataFolderInUse, EmbeddedDatabaseError, PostgresNotFound, ServerFailed } from './errors.js'
export { findEmbeddedDatabase, resetEmbeddedDatabase } from './reset.js'
export { openEmbeddedDatabase, type EmbeddedDatabase } from './supervisor.js'
export { startThrowawayCluster, type ThrowawayCluster } from './throwaway.js'

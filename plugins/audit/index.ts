import fp from 'fastify-plugin'
import { Counter } from 'prom-client'
import { causeOf, isAway } from '../database/causes.js'
import { onNobodysBehalf } from '../request-context.js'
import { insertAudit, type AuditEntry } from './record.js'
import { sealAudit } from './seal.js'

export { recordAudit, type AuditEntry } from './record.js'

declare module 'fastify' {
  interface FastifyInstance {
    auditTrail: {
      /** Puts on record what is no change, such as a refusal: soon, and without anyone waiting for it. */
      note: (entry: AuditEntry) => void
      /** Resolves when all that was noted is on record, or could not be put there now. */
      written: () => Promise<void>
    }
  }
}

const FLUSH_MS = 250
const BATCH = 200
/** What waits while the database is away: more than that is lost here, and only in the log. */
const MOST_WAITING = 5000

/**
 * The audit log: security events on record, append-only, sealed in blocks by a job. A change is recorded by `recordAudit` in
 * its own transaction; what is no change is noted, and written together with what came in the same moment.
 */
export default fp(async function audit (app) {
  const { config } = app
  let waiting: AuditEntry[] = []
  let writing: Promise<void> | undefined
  const lost = new Counter({ name: 'eden_audit_lost_total', help: 'security events that are in the log but could not be put on record', registers: [app.registry] })

  async function write (): Promise<void> {
    const batch = waiting.splice(0, BATCH)
    if (batch.length === 0) return
    try {
      await insertAudit(app.db, batch)
    } catch (err) {
      if (isAway(causeOf(err)) && waiting.length + batch.length <= MOST_WAITING) {
        waiting = [...batch, ...waiting]
        app.log.debug({ err, waiting: waiting.length }, 'security events wait to be put on record')
        return
      }
      lost.inc(batch.length)
      app.log.error({ err, lost: batch.length }, 'security events could not be put on record')
    }
    if (waiting.length > 0) await write()
  }
  function flush (): Promise<void> {
    writing ??= onNobodysBehalf(write).finally(() => { writing = undefined })
    return writing
  }

  app.decorate('auditTrail', {
    note (entry) {
      if (waiting.length >= MOST_WAITING) lost.inc()
      else waiting.push({ at: app.clock().toISOString(), ...entry })
    },
    async written () {
      await writing
      await flush()
    }
  })
  app.jobs.schedule({
    name: 'seal_audit_log',
    description: 'seal what was put on record since, so that a change of it shows',
    cron: '*/5 * * * *',
    run: ({ db, signal }) => sealAudit(db, {
      key: config.AUDIT_SEAL_KEY,
      signal,
      // The log goes elsewhere: there a root outlives whoever cuts off the end of the audit log together with its seals.
      onSeal: ({ no, events, root }) => { app.log.info({ audit_block: no, audit_root: root.toString('hex'), events }, 'audit log sealed') }
    })
  })
  const timer = setInterval(flush, FLUSH_MS).unref()
  app.addHook('onClose', async () => {
    clearInterval(timer)
    await writing
    await flush()
  })
}, { name: 'audit', dependencies: ['settings', 'database', 'metrics', 'jobs'] })

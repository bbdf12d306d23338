import type { Person } from './helper.js'
import { anotherInstance, startApp } from './helper.js'
import { takeLog } from './logs.js'

/** Two instances on one database, whose clock a test may set, and what is done with guest links there. */
export async function startWithGuests (t: Parameters<typeof startApp>[0]) {
  const time = { now: new Date() }
  const s = await startApp(t, { clock: () => time.now, environment: { LOG_LEVEL: 'info', GUEST_LINKS_PER_PERSON: '7', GUEST_LINK_MAX_DAYS: '90' } })
  const lines = takeLog(s.app)
  const second = await anotherInstance(t, s)
  const inDays = (days: number) => new Date(time.now.getTime() + days * 86_400_000).toISOString()
  const asked = (fields: object) => ({ name: 'The architect', expires_at: inDays(30), ...fields })
  const look = (token: string, query = '', app = s.app) => app.inject(`/api/guest/${token}${query}`)
  return {
    s,
    second,
    time,
    lines,
    inDays,
    /** The body of a request for a link. */
    asked,
    make: (as: Person, fields: object) => s.post<any>('/api/guest-links', asked(fields), { as }),
    look,
    status: async (token: string, app = s.app) => (await look(token, '', app)).statusCode,
    /** The status, the code and the first field of a problem. */
    problem: (answer: { json: () => any }) => { const { status, code, errors } = answer.json(); return [status, code, errors?.[0]?.path] },
    /** What the log says of an event, from a line on. */
    told: (event: string, from = 0) => lines.slice(from).filter(({ security }) => security === event),
    /** What the audit log has of an event of a link. */
    recorded: async (event: string, id: string) => {
      for (const app of [s.app, second]) await app.auditTrail.written()
      return s.query<any>('select actor_id, target_type, host(ip) as ip, details from audit_events where event = $1 and target_id = $2 order by seq', [event, id])
    },
    /** A manager of their own: a person has few links here. */
    manager: () => s.addPerson('manager')
  }
}

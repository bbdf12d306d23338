/** What there is to ask for while the fuzz runs, and who asks. */
import { createHash } from 'node:crypto'
import { givePassword, PASSWORD } from '../../accounts.js'
import { routes, type Resource } from '../../bad-input/routes.js'
import type { Person, TestApp } from '../../helper.js'
import { requestOf, things, type Things } from '../../route-fixtures.js'

export type Who = 'admin' | 'manager' | 'member' | 'viewer' | 'outsider' | 'subcontractor' | 'nobody' | 'token' | 'weak token' | 'session'
/** Good enough for the service, as the tests' usual one is not. */
const OTHER_PASSWORD = 'another long pass phrase'

/** How often each asks, of a hundred. The subcontractor manages one project, and has no role in the company. */
export const shares: Record<Who, number> = { admin: 40, manager: 12, member: 12, viewer: 5, outsider: 5, subcontractor: 7, nobody: 4, token: 6, 'weak token': 3, session: 6 }

/** The most that is remembered of a kind: what is new is asked for, and what is old is mostly gone. */
const MOST_KNOWN = 12

/** What fields hold that name something, in bodies and queries. */
const named: Record<string, Resource | 'link'> = {
  token: 'link',
  project_id: 'project',
  project: 'project',
  task_id: 'task',
  task: 'task',
  default_project_id: 'project',
  assignee_id: 'user',
  ball_in_court: 'user',
  assignee: 'user',
  ball: 'user',
  person: 'user',
  created_by: 'user',
  to_user_id: 'user',
  user_id: 'user',
  actor: 'user',
  to_company_id: 'company',
  to_contact_id: 'contact',
  parent_id: 'task',
  parent: 'task',
  blocks_id: 'task',
  entity_id: 'task',
  id: 'task',
  ids: 'item'
}
/** What a POST to a path makes, by the last part of it. */
const made: Record<string, Resource> = { users: 'user', roles: 'role', projects: 'project', companies: 'company', contacts: 'contact', tasks: 'task', comments: 'comment', checklist: 'item', attachments: 'attachment', tokens: 'token', runs: 'run', 'guest-links': 'guest_link' }

/** The path and the body of a request that is to succeed. */
export interface Prepared { path: string, body?: unknown }

export interface World {
  headersOf: (who: Who) => Record<string, string>
  /** What fields of this name should hold. */
  known: (name: string) => readonly unknown[] | undefined
  /** Ids for a parameter of a route's path. */
  idsFor: (route: string, parameter: string) => readonly string[]
  /** Does what a route needs before it can succeed for somebody; undefined when that cannot be done. */
  prepare: (route: string, who: Who) => Promise<Prepared | undefined>
  /** Takes in what an answer tells of: new things, new tokens, the next page. */
  learn: (route: string, status: number, body: any, link: unknown) => void
  /** New people and new things, beside the old ones: the fuzz sends people away and deletes what it can. */
  renew: () => Promise<void>
  /** Until they are all there, when somebody is making them. */
  steady: () => Promise<void>
}

/** @param s whose own administrator only makes what is asked for, and is in nobody's reach by id */
export async function createWorld (s: TestApp): Promise<World> {
  const pools: Record<string, string[]> = {}
  const add = (kind: string, ...values: (string | undefined | null)[]) => {
    const old = pools[kind] ?? []
    pools[kind] = [...new Set([...values.filter((one): one is string => typeof one === 'string').reverse(), ...old])].slice(0, MOST_KNOWN)
  }
  const expires = new Date(Date.now() + 86_400_000).toISOString()
  let headers: Record<Who, Record<string, string>> | undefined
  let people: Partial<Record<Who, Person>> = {}
  let ids: Things
  /** What only works with a secret, or for who is there, which `route-fixtures.ts` does not know. */
  let secrets: Record<string, object> = {}
  let renewals = 0
  const codes = (await s.query<{ code: string }>('select code from permissions order by 1')).map(({ code }) => code)
  const jobs = (await s.get<{ job?: string, name?: string }[]>('/api/admin/jobs/')).map((one) => one.job ?? one.name)
  const world = {} as World

  let renewing: Promise<void> | undefined
  world.steady = async () => renewing
  world.renew = async () => {
    renewing ??= renew().finally(() => { renewing = undefined })
    await renewing
  }
  async function renew () {
    renewals++
    // No instance does jobs here: a run that waits would be in the way of the next for ever.
    await s.query("update job_runs set state = 'failed', finished_at = now() where state = 'waiting'")
    const [admin, manager, member, viewer, outsider, subcontractor] = await Promise.all(['admin', 'manager', 'member', 'viewer', 'manager', null].map((role) => s.addPerson(role))) as [Person, Person, Person, Person, Person, Person]
    for (const one of [admin, member]) await givePassword(s, one)
    ids = await things(s, { members: [[manager, 'manager'], [member, 'member'], [viewer, 'viewer'], [admin, 'manager'], [subcontractor, 'manager']], author: admin }) // who asks most
    for (const [kind, id] of Object.entries(ids)) add(kind === 'parent' ? 'task' : kind, id)
    add('user', outsider.id, viewer.id, member.id, manager.id, admin.id, ids.user) // the last is mostly asked for, and nobody here
    add('email', outsider.email, viewer.email, member.email, manager.email, admin.email)
    add('project', (await s.addProject()).id)
    const token = async (person: Person, scopes: string[]) => {
      const { id, token } = await s.post('/api/tokens', { name: 'fuzz', scopes, expires_at: expires }, { as: person })
      add('token', id)
      return token as string
    }
    const strong = await token(admin, codes)
    const weak = await token(admin, ['projects:read', 'tasks:read'])
    const { json, statusCode, body } = await s.app.inject({ method: 'POST', url: '/api/auth/login', payload: { email: member.email, password: PASSWORD }, remoteAddress: `198.51.100.${renewals % 250}` })
    if (statusCode !== 200) throw new Error(`sign-in: ${body}`)
    const signedIn = json()
    add('refresh_token', signedIn.refresh_token)
    add('session', (await s.query('select id from sessions where user_id = $1', [member.id]))[0]?.id)
    const [reset, invitation] = await Promise.all(([[member, 'password_reset'], [viewer, 'invitation']] as const).map(async ([person, purpose]) => {
      const link = createHash('sha256').update(`${purpose} ${renewals}`).digest('base64url')
      await s.query("insert into account_links (token_hash, user_id, purpose, expires_at) values (sha256(convert_to($1, 'UTF8')), $2, $3, now() + interval '1 day')", [link, person.id, purpose])
      add('link', link)
      return link
    }))
    secrets = {
      'POST /api/auth/login': { email: member.email, password: PASSWORD },
      'POST /api/auth/refresh': { refresh_token: signedIn.refresh_token },
      'POST /api/auth/password': { current_password: PASSWORD, new_password: OTHER_PASSWORD },
      'POST /api/auth/password/reset': { token: reset, new_password: OTHER_PASSWORD },
      'POST /api/auth/invitations': { email: viewer.email },
      'POST /api/auth/invitations/accept': { token: invitation, password: OTHER_PASSWORD }
    }
    people = { admin, manager, member, viewer, outsider, subcontractor, token: admin, 'weak token': admin, session: member }
    const by = (person: Person) => ({ 'x-dev-email': person.email })
    const bearer = (text: string) => ({ authorization: `Bearer ${text}` })
    headers = { admin: by(admin), manager: by(manager), member: by(member), viewer: by(viewer), outsider: by(outsider), subcontractor: by(subcontractor), nobody: {}, token: bearer(strong), 'weak token': bearer(weak), session: bearer(signedIn.access_token) }
  }
  let fresh = 0
  world.headersOf = (who) => headers?.[who] ?? {}
  world.known = (name) => {
    if (name === 'scopes' || name === 'permissions') return codes
    if (name === 'job') return jobs
    if (name === 'password' || name === 'current_password' || name === 'new_password') return [PASSWORD, OTHER_PASSWORD]
    if (name === 'version' || name === 'base_version') return [1, 2, 3]
    if (name === 'if-match' || name === 'if-none-match') return ['"1"', '"1"', '*', '"2", "3"', 'W/"1"']
    if (name === 'expires_at') return [expires]
    fresh++
    if (name === 'slug') return [`r-${fresh}`]
    if (name === 'code') return [`F-${fresh}`]
    if (name === 'email') return [...pools['email'] ?? [], ...Array<string>(6).fill(`fuzz.${fresh}@example.com`)]
    const pool = pools[named[name] ?? name] ?? []
    return pool.length === 0 ? undefined : [...pool, ...Array(3).fill(pool.slice(0, 2)).flat()] // mostly what is new
  }
  world.idsFor = (route, parameter) => {
    const kind = routes[route]?.ids?.[parameter] ?? 'task'
    const pool = pools[kind] ?? []
    return [...pool, ...Array(4).fill(pool.slice(0, 2)).flat(), ...(routes[route]?.orSlug?.includes(parameter) === true ? ['viewer', 'member'] : [])]
  }
  world.prepare = async (route, who) => {
    try {
      const { url, body } = await requestOf(s, route, ids, people[who] ?? s.admin)
      return { path: url.split('?', 1)[0] as string, body: secrets[route] ?? body }
    } catch (error) {
      if (/ answered 5/.test(String(error))) throw error
      return undefined // what it needs was deleted, or is refused to them
    }
  }
  world.learn = (route, status, body, link) => {
    if (body?.refresh_token !== undefined) add('refresh_token', body.refresh_token)
    const cursor = new URLSearchParams(/\?([^>]*)>; rel="next"/.exec(String(link))?.[1]).get('cursor')
    if (cursor !== null) add(`cursor ${route}`, cursor)
    const kind = made[route.replace(/\/$/, '').split('/').at(-1) as string]
    if (status === 201 && kind !== undefined) add(kind, body?.id)
    if (status === 201 && kind === 'guest_link') add('guest_token', body?.token)
  }
  await world.renew()
  return world
}

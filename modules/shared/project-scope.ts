import type { FastifyInstance, FastifyRequest } from 'fastify'
import { sql, type RawBuilder } from 'kysely'
import type { InProject } from '../../plugins/auth/index.js'
import { Forbidden } from '../../plugins/errors.js'
import { visibleProject } from './visibility.js'

/** Where things are that are a project `p` or in one, under the alias `x`. */
const tables = {
  project: sql`projects x join projects p on p.id = x.id`,
  task: sql`tasks x join projects p on p.id = x.project_id`,
  comment: sql`comments x join tasks t on t.id = x.task_id join projects p on p.id = t.project_id`,
  checklist_item: sql`checklist_items x join tasks t on t.id = x.task_id join projects p on p.id = t.project_id`,
  attachment: sql`attachments x join tasks t on t.id = x.task_id join projects p on p.id = t.project_id`,
  guest_link: sql`guest_links x join projects p on p.id = x.project_id`
} satisfies Record<string, RawBuilder<unknown>>
type Kind = keyof typeof tables

/** For routes that name nothing: what they find is in the projects that the caller may ask of. */
export const anyProject: InProject = () => undefined
/** For routes whose path names a thing of some kind by its `id`. */
export const idIs = (kind: Kind): InProject => ({ params }) => ({ kind, ids: [(params as { id: string }).id] })
/** For routes whose body names things. */
export const bodyNames = <Body>(kind: Kind, ids: (body: Body) => string[]): InProject => ({ body }) => ({ kind, ids: ids(body as Body) })
/** For routes whose body names one thing of several kinds, each in a field of its own. */
export const bodyNamesOne = <Body>(fields: Partial<Record<Kind, keyof Body>>): InProject => ({ body }) => {
  const [kind, field] = Object.entries(fields).find(([, name]) => (body as Body)[name] !== undefined) ?? []
  return kind === undefined ? undefined : { kind, ids: [String((body as Body)[field as keyof Body])] }
}

/**
 * A request that only roles in projects allow sees no others, so that nothing else can be read or changed by it; all else would be
 * 404. What its sender may see, but not do this with, is 403.
 */
export function refuseElsewhere (app: FastifyInstance): void {
  app.addHook('preHandler', async (request: FastifyRequest) => {
    if (request.actor?.byProjectRole === undefined) return
    const { byProjectRole: permission, ...whole } = request.actor
    const named = request.routeOptions.config.inProject?.(request)
    if (named === undefined) return
    const { rows } = await sql`
      select from ${tables[named.kind as Kind]} where x.id = any(${named.ids}::uuid[])
        and ${visibleProject(whole, { deletedToo: true })} and not ${visibleProject(request.actor, { deletedToo: true })} limit 1`.execute(app.db)
    if (rows.length === 0) return
    app.security(request, 'permission_refused', { permission })
    throw new Forbidden(permission)
  })
}

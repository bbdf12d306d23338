/**
 * Who asks. `outsider` runs projects of the company, but is no member of the one that is asked for; `project_manager` and
 * `project_viewer` have that role in it, and none in the company. The last four are nobody.
 */
export const roles = ['admin', 'manager', 'member', 'viewer'] as const
export const identities = [...roles, 'outsider', 'project_manager', 'project_viewer', 'deactivated', 'expired', 'forged', 'none'] as const
export type Identity = typeof identities[number]

/**
 * One line for each operation: the permission that it declares, then the status for admin, manager, member, viewer, the
 * outsider, the project's manager and its viewer. Nobody (deactivated, expired, forged, none) is 401, and gets what is public.
 *
 * A wrong password or one-time token is 401 or 422, whoever sends it; an invitation is 422 without a server for mail.
 *
 * A member's project roles are those of their names; the administrator made the project.
 */
const table = `
GET    /openapi.json                                  public           200
GET    /metrics                                       public           200
GET    /api/health/metrics                            public           200
GET    /health                                        public           200
GET    /api/health                                    public           200
GET    /api/health/live                               public           200
GET    /api/health/ready                              public           200
GET    /api/health/quick                              public           200
GET    /api/health/detailed                           public           200
GET    /api/health/status                             public           200
GET    /db/ping                                       public           200
GET    /api/debug/dbinfo                              public           200
GET    /version                                       public           200
GET    /api/users                                     users:read       200  200  200  200  200  403  403
POST   /api/users                                     users:write      201  403  403  403  403  403  403
GET    /api/users/{id}                                users:read       200  200  200  200  200  403  403
PATCH  /api/users/{id}                                users:write      200  403  403  403  403  403  403
DELETE /api/users/{id}                                users:write      200  403  403  403  403  403  403
GET    /api/me                                        self             200  200  200  200  200  200  200
PATCH  /api/me                                        self             200  200  200  200  200  200  200
POST   /api/auth/login                                public           401
POST   /api/auth/refresh                              public           401
POST   /api/auth/logout                               public           200
POST   /api/auth/logout-all                           self             200  200  200  200  200  200  200
POST   /api/auth/password                             self             422  422  422  422  422  422  422
POST   /api/auth/password/forgot                      public           202
POST   /api/auth/password/reset                       public           422
POST   /api/auth/invitations                          users:write      422  403  403  403  403  403  403
POST   /api/auth/invitations/accept                   public           422
GET    /api/me/sessions                               self             200  200  200  200  200  200  200
DELETE /api/me/sessions/{id}                          self             200  200  200  200  200  200  200
GET    /api/tokens                                    self             200  200  200  200  200  200  200
POST   /api/tokens                                    self             201  201  201  201  201  201  201
DELETE /api/tokens/{id}                               self             200  200  200  200  200  200  200
GET    /api/guest-links                               projects:share   200  200  403  403  200  200  403
POST   /api/guest-links                               projects:share   201  201  403  403  422  201  403
DELETE /api/guest-links/{id}                          projects:share   200  200  403  403  404  200  403
GET    /api/guest/{token}                             public           200
GET    /api/admin/tokens                              users:write      200  403  403  403  403  403  403
DELETE /api/admin/tokens/{id}                         users:write      200  403  403  403  403  403  403
GET    /api/me/permissions                            self             200  200  200  200  200  200  200
GET    /api/me/preferences                            self             200  200  200  200  200  200  200
PUT    /api/me/preferences                            self             200  200  200  200  422  200  200
GET    /api/permissions                               users:read       200  200  200  200  200  403  403
GET    /api/roles                                     users:read       200  200  200  200  200  403  403
POST   /api/roles                                     roles:write      201  403  403  403  403  403  403
GET    /api/roles/{id}                                users:read       200  200  200  200  200  403  403
PATCH  /api/roles/{id}                                roles:write      200  403  403  403  403  403  403
DELETE /api/roles/{id}                                roles:write      200  403  403  403  403  403  403
PUT    /api/users/{id}/roles/{role}                   users:write      200  403  403  403  403  403  403
DELETE /api/users/{id}/roles/{role}                   users:write      200  403  403  403  403  403  403
GET    /api/projects/                                 projects:read    200  200  200  200  200  200  200
POST   /api/projects/                                 projects:write   201  201  403  403  201  403  403
GET    /api/projects/{id}                             projects:read    200  200  200  200  404  200  200
PATCH  /api/projects/{id}                             projects:write   200  200  403  403  404  200  403
DELETE /api/projects/{id}                             projects:write   200  200  403  403  404  200  403
POST   /api/projects/{id}/restore                     projects:write   200  200  403  403  404  200  403
GET    /api/projects/{id}/members                     projects:read    200  200  200  200  404  200  200
PUT    /api/projects/{id}/members/{user_id}           projects:write   200  200  403  403  404  200  403
DELETE /api/projects/{id}/members/{user_id}           projects:write   200  200  403  403  404  200  403
GET    /api/calendar                                  tasks:read       200  200  200  200  200  200  200
PUT    /api/calendar                                  settings:write   200  403  403  403  403  403  403
PUT    /api/calendar/holidays/{date}                  settings:write   200  403  403  403  403  403  403
DELETE /api/calendar/holidays/{date}                  settings:write   200  403  403  403  403  403  403
GET    /api/companies                                 companies:read   200  200  200  200  200  403  403
POST   /api/companies                                 companies:write  201  201  403  403  201  403  403
GET    /api/companies/{id}                            companies:read   200  200  200  200  200  403  403
PATCH  /api/companies/{id}                            companies:write  200  200  403  403  200  403  403
DELETE /api/companies/{id}                            companies:write  200  200  403  403  200  403  403
POST   /api/companies/{id}/restore                    companies:write  200  200  403  403  200  403  403
GET    /api/companies/{id}/contacts                   companies:read   200  200  200  200  200  403  403
POST   /api/companies/{id}/contacts                   companies:write  201  201  403  403  201  403  403
GET    /api/contacts/{id}                             companies:read   200  200  200  200  200  403  403
PATCH  /api/contacts/{id}                             companies:write  200  200  403  403  200  403  403
DELETE /api/contacts/{id}                             companies:write  200  200  403  403  200  403  403
POST   /api/contacts/{id}/restore                     companies:write  200  200  403  403  200  403  403
GET    /api/tasks                                     tasks:read       200  200  200  200  200  200  200
POST   /api/tasks                                     tasks:write      201  201  201  403  422  201  403
GET    /api/projects/{id}/tasks                       tasks:read       200  200  200  200  404  200  200
POST   /api/projects/{id}/tasks                       tasks:write      201  201  201  403  404  201  403
GET    /api/tasks/{id}                                tasks:read       200  200  200  200  404  200  200
PATCH  /api/tasks/{id}                                tasks:write      200  200  200  403  404  200  403
DELETE /api/tasks/{id}                                tasks:write      200  200  200  403  404  200  403
POST   /api/tasks/bulk                                tasks:write      200  200  200  403  404  200  403
POST   /api/tasks/{id}/restore                        tasks:write      200  200  200  403  404  200  403
POST   /api/tasks/{id}/move                           tasks:write      200  200  200  403  404  200  403
GET    /api/tasks/{id}/ball                           tasks:read       200  200  200  200  404  200  200
POST   /api/tasks/{id}/ball                           ball:pass        201  201  201  403  404  201  403
POST   /api/tasks/{id}/ball/ack                       ball:pass        200  200  200  403  404  200  403
POST   /api/tasks/{id}/ball/nudge                     ball:pass        200  200  200  403  404  200  403
POST   /api/tasks/{id}/ball/pause                     ball:pass        200  200  200  403  404  200  403
POST   /api/tasks/{id}/ball/resume                    ball:pass        200  200  200  403  404  200  403
GET    /api/tasks/{id}/comments                       comments:read    200  200  200  200  404  200  200
POST   /api/tasks/{id}/comments                       comments:write   201  201  201  403  404  201  403
GET    /api/comments/{id}                             comments:read    200  200  200  200  404  200  200
PATCH  /api/comments/{id}                             comments:write   200  200  200  403  404  200  403
DELETE /api/comments/{id}                             comments:write   200  200  200  403  404  200  403
GET    /api/comments/{id}/history                     comments:read    200  200  200  200  404  200  200
POST   /api/comments/{id}/restore                     comments:write   200  200  200  403  404  200  403
GET    /api/tasks/{id}/dependencies                   tasks:read       200  200  200  200  404  200  200
POST   /api/tasks/{id}/dependencies                   tasks:write      201  201  201  403  404  201  403
DELETE /api/tasks/{id}/dependencies/{blocks_id}       tasks:write      200  200  200  403  404  200  403
GET    /api/tasks/{id}/checklist                      tasks:read       200  200  200  200  404  200  200
POST   /api/tasks/{id}/checklist                      tasks:write      201  201  201  403  404  201  403
PATCH  /api/checklist/{id}                            tasks:write      200  200  200  403  404  200  403
DELETE /api/checklist/{id}                            tasks:write      200  200  200  403  404  200  403
POST   /api/tasks/{id}/checklist/reorder              tasks:write      200  200  200  403  404  200  403
GET    /api/tasks/{id}/attachments                    tasks:read       200  200  200  200  404  200  200
POST   /api/tasks/{id}/attachments                    tasks:write      201  201  201  403  404  201  403
GET    /api/attachments/{id}                          tasks:read       200  200  200  200  404  200  200
DELETE /api/attachments/{id}                          tasks:write      200  200  200  403  404  200  403
GET    /api/attachments/{id}/content                  tasks:read       200  200  200  200  404  200  200
PUT    /api/tasks/{id}/watch                          tasks:read       200  200  200  200  404  200  200
DELETE /api/tasks/{id}/watch                          tasks:read       200  200  200  200  404  200  200
GET    /api/me/work                                   tasks:read       200  200  200  200  200  200  200
GET    /api/ball-policy                               tasks:read       200  200  200  200  200  200  200
PUT    /api/ball-policy                               settings:write   200  403  403  403  403  403  403
GET    /api/activity                                  activity:read    200  200  200  200  200  200  200
GET    /api/projects/{id}/activity                    activity:read    200  200  200  200  404  200  200
GET    /api/tasks/{id}/activity                       activity:read    200  200  200  200  404  200  200
GET    /api/changes                                   activity:read    200  200  200  200  200  200  200
GET    /api/notifications/                            self             200  200  200  200  200  200  200
GET    /api/notifications/recent                      self             200  200  200  200  200  200  200
GET    /api/notifications/unread-count                self             200  200  200  200  200  200  200
PATCH  /api/notifications/{id}/read                   self             200  200  200  404  404  200  404
PATCH  /api/notifications/mark-all-read               self             200  200  200  200  200  200  200
GET    /api/notifications/preferences                 self             200  200  200  200  200  200  200
PUT    /api/notifications/preferences                 self             200  200  200  200  200  200  200
GET    /api/notifications/stream                      self             200  200  200  200  200  200  200
GET    /api/search                                    tasks:read       200  200  200  200  200  200  200
GET    /api/reports/tasks/status                      reports:read     200  200  200  200  200  200  200
GET    /api/reports/tasks/ball                        reports:read     200  200  200  200  200  200  200
GET    /api/reports/tasks/priority                    reports:read     200  200  200  200  200  200  200
GET    /api/reports/tasks/overdue                     reports:read     200  200  200  200  200  200  200
GET    /api/reports/activity/recent                   reports:read     200  200  200  200  200  200  200
GET    /api/reports/ball/flow                         reports:read     200  200  200  200  200  200  200
GET    /api/reports/workload                          reports:read     200  200  200  200  200  200  200
GET    /api/reports/throughput                        reports:read     200  200  200  200  200  200  200
GET    /api/reports/projects/health                   reports:read     200  200  200  200  200  200  200
GET    /api/reports/tasks/ageing                      reports:read     200  200  200  200  200  200  200
GET    /api/admin/jobs/                               jobs:read        200  403  403  403  403  403  403
GET    /api/admin/jobs/runs                           jobs:read        200  403  403  403  403  403  403
POST   /api/admin/jobs/runs                           jobs:run         201  403  403  403  403  403  403
GET    /api/admin/jobs/runs/{id}                      jobs:read        200  403  403  403  403  403  403
GET    /api/admin/audit/                              audit:read       200  403  403  403  403  403  403
`

export interface Line { permission: string, statuses: Record<Identity, number> }

/** The table, by operation. */
export function parseTable (): Map<string, Line> {
  return new Map(table.trim().split('\n').filter((line) => line !== '').map((line) => {
    const [method, url, permission = '', ...statuses] = line.split(/ +/)
    const named = identities.map((identity, i) => [identity, Number(statuses[i] ?? (permission === 'public' ? statuses[0] : 401))])
    return [`${method} ${url}`, { permission, statuses: Object.fromEntries(named) as Record<Identity, number> }]
  }))
}

/** `docs/permissions.md`. @param held each permission, once for each shipped role that has it */
export function permissionsPage (held: { slug: string | null, code: string, description: string, in_projects: boolean }[]): string {
  const has = (slug: string, code: string) => held.some((one) => one.slug === slug && one.code === code) ? 'yes' : ''
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`.replaceAll(/ +/g, ' ')
  const head = (cells: string[]) => [line(cells), line(cells.map(() => '---'))]
  return [
    '# Permissions',
    '',
    'Roles hold permissions, people hold roles, projects have members; each route declares the permission that it wants. Written by',
    '`npm run docs:permissions` from `test/route-table.ts`, which a test holds to what the service answers.',
    '',
    '## What the roles that ship allow',
    '',
    'They can be edited, except that admin keeps every permission; others can be added (`roles:write`). Nobody gives or takes what they do',
    'not hold themselves, or changes the address of, sends away or brings back who holds more. The last active administrator stays.',
    '',
    'A role is held in the company, or in a project by its members (`PUT /api/projects/{id}/members/{user_id}`): there it allows what',
    'is marked, beside what the company\'s roles allow everywhere; it never takes anything away. So somebody without a role in the company works',
    'in the projects that they are put on, and sees no other. Who opens a project manages it.',
    '',
    ...head(['permission', 'allows to', ...roles, 'in projects']),
    ...held.map(({ code, description, in_projects: inProjects }) => line([`\`${code}\``, description, ...roles.map((role) => has(role, code)), inProjects ? 'yes' : ''])).filter((row, i, rows) => rows.indexOf(row) === i),
    '',
    '## What each route answers to whom',
    '',
    'The things that are asked for are in a project for members only. An outsider has the role manager and is no member of it; the',
    'project\'s manager and viewer have that role in it, and none in the company; 401 is for who was deactivated, for an expired and a forged',
    'token, and for none. 403: the role does not allow it. 404: it is not there for them.',
    '',
    ...head(['route', 'permission', ...identities]),
    ...[...parseTable()].map(([route, { permission, statuses }]) => line([`\`${route}\``, permission, ...identities.map((identity) => String(statuses[identity]))])),
    ''
  ].join('\n')
}

import { sql, type Kysely } from 'kysely'

const permissions: Record<string, string> = {
  'users:read': 'See the people of the company',
  'users:write': 'Add, change and deactivate people, and give them roles',
  'projects:read': 'See projects that are open to the company, and those one is a member of',
  'projects:read_all': 'See every project, also those for members only',
  'projects:write': 'Add, change, delete and restore projects and their members',
  'tasks:read': 'See the tasks of the projects one sees',
  'tasks:write': 'Add, change, delete and restore tasks',
  'ball:pass': 'Hand the ball over and acknowledge it',
  'comments:read': 'Read comments',
  'comments:write': 'Write comments, and change one\'s own',
  'comments:moderate': 'Delete and restore the comments of others',
  'activity:read': 'Read the activity log of the projects one sees',
  'reports:read': 'Read reports'
}

const viewer = ['users:read', 'projects:read', 'tasks:read', 'comments:read', 'activity:read', 'reports:read']
const member = [...viewer, 'tasks:write', 'ball:pass', 'comments:write']
const manager = [...member, 'projects:write', 'comments:moderate']

const roles = [
  { id: '00000000-0000-7000-8000-000000000001', slug: 'admin', name: 'Administrator', description: 'May do everything', permissions: Object.keys(permissions) },
  { id: '00000000-0000-7000-8000-000000000002', slug: 'manager', name: 'Manager', description: 'Runs projects', permissions: manager },
  { id: '00000000-0000-7000-8000-000000000003', slug: 'member', name: 'Member', description: 'Works on tasks', permissions: member },
  { id: '00000000-0000-7000-8000-000000000004', slug: 'viewer', name: 'Viewer', description: 'Looks on', permissions: viewer }
]

/** The roles that ship with the system. The first administrator could not exist without them. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    insert into permissions (code, description)
    select key, value from jsonb_each_text(${JSON.stringify(permissions)}::jsonb)`.execute(db)
  await sql`
    insert into roles (id, slug, name, description, is_system)
    select id, slug, name, description, true
    from jsonb_to_recordset(${JSON.stringify(roles)}::jsonb) as r (id uuid, slug text, name text, description text)`.execute(db)
  await sql`
    insert into role_permissions (role_id, permission_code)
    select r.id, p.code
    from jsonb_to_recordset(${JSON.stringify(roles)}::jsonb) as r (id uuid, permissions jsonb),
      jsonb_array_elements_text(r.permissions) as p (code)`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`delete from user_roles where role_id in (select id from roles where is_system)`.execute(db)
  await sql`delete from roles where is_system`.execute(db)
  await sql`delete from permissions`.execute(db)
}

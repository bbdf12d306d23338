import { sql, type Kysely } from 'kysely'

const tables: { table: string, whose: string | null, events: string[] }[] = [
  { table: 'users', whose: 'id', events: ['update', 'delete'] },
  { table: 'user_roles', whose: 'user_id', events: ['insert', 'update', 'delete'] },
  { table: 'roles', whose: null, events: ['update', 'delete'] },
  { table: 'role_permissions', whose: null, events: ['insert', 'update', 'delete'] }
]

/**
 * Whose rights were changed is told to every instance when the change commits, on the channel `eden_rights`: the id of the
 * person, or `*` for whoever. A trigger for each row says `user_id`; one for each statement has the changed rows as the
 * table `changed`, and as its argument the column of the person, or none.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create function tell_rights_changed () returns trigger
    language plpgsql as $$
    declare
      who text[];
    begin
      if tg_level = 'ROW' then
        if tg_op = 'DELETE' then who := array[to_jsonb(old) ->> 'user_id']; else who := array[to_jsonb(new) ->> 'user_id']; end if;
      elsif tg_nargs = 0 then
        select array['*'] into who from changed limit 1;
      else
        select array_agg(distinct to_jsonb(c) ->> tg_argv[0]) into who from (select * from changed limit 101) c;
        if cardinality(who) > 100 then who := array['*']; end if;
      end if;
      perform pg_notify('eden_rights', coalesce(one, '*')) from unnest(who) one;
      return null;
    end
    $$`.execute(db)
  for (const { table, whose, events } of tables) {
    for (const event of events) {
      await sql`
        create trigger ${sql.ref(`${table}_rights_told_${event}`)} after ${sql.raw(event)} on ${sql.table(table)}
        referencing ${sql.raw(event === 'delete' ? 'old' : 'new')} table as changed
        for each statement execute function tell_rights_changed(${whose === null ? sql`` : sql.lit(whose)})`.execute(db)
    }
  }
}

export async function down (db: Kysely<unknown>): Promise<void> {
  for (const { table, events } of tables) {
    for (const event of events) await sql`drop trigger ${sql.ref(`${table}_rights_told_${event}`)} on ${sql.table(table)}`.execute(db)
  }
  await sql`drop function tell_rights_changed()`.execute(db)
}

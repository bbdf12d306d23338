import { sql, type Kysely } from 'kysely'

/**
 * In which project an event is, beside its position: whoever sees few projects finds what changed there without reading what
 * changed elsewhere. By a trigger, so that releases that know nothing of it write it too.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`alter table event_positions add column project_id uuid`.execute(db)
  await sql`
    create function note_event_project () returns trigger
    language plpgsql as $$
    begin
      if new.project_id is null then
        select project_id into new.project_id from activity_log where created_at = new.event_at and id = new.event_id;
      end if;
      return new;
    end
    $$`.execute(db)
  await sql`create trigger event_positions_project before insert on event_positions for each row execute function note_event_project()`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop trigger event_positions_project on event_positions`.execute(db)
  await sql`drop function note_event_project`.execute(db)
  await sql`alter table event_positions drop column project_id`.execute(db)
}

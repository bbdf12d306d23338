import { sql, type Kysely } from 'kysely'

/**
 * A hold may be paused: the time goes on, but is not the holder's. Pauses are rows; none overlaps another, by an
 * exclusion constraint, and none reaches out of its hold, by triggers on both tables. A trigger's statements see what was
 * committed before them: whoever ends a hold waits for a pause that is being added to it, and the other way round, because
 * the end of a hold is part of a key.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`create extension if not exists btree_gist`.execute(db)
  await sql`
    alter table tasks
      add column ball_paused_since timestamptz,
      add constraint tasks_paused_in_a_court check (ball_paused_since is null or (ball_paused_since >= ball_since and (ball_in_court is not null or ball_company_id is not null)))`.execute(db)
  await sql`
    create table ball_pauses (
      task_id uuid not null,
      hold_no integer not null,
      started_at timestamptz not null,
      ended_at timestamptz,
      reason text not null,
      paused_by uuid not null constraint ball_pauses_paused_by_fkey references users on delete restrict,
      constraint ball_pauses_pkey primary key (task_id, started_at),
      constraint ball_pauses_hold_fkey foreign key (task_id, hold_no) references ball_holds (task_id, no) on delete cascade,
      constraint ball_pauses_forward check (ended_at > started_at),
      constraint ball_pauses_reason_length check (length(reason) between 1 and 2000),
      constraint ball_pauses_apart exclude using gist (task_id with =, tstzrange(started_at, ended_at) with &&)
    )`.execute(db)
  await sql`create index ball_pauses_by_person on ball_pauses (paused_by)`.execute(db)

  await sql`
    create function refuse_pause_outside () returns trigger
    language plpgsql as $$
    begin
      if not exists (
        select from ball_holds h where h.task_id = new.task_id and h.no = new.hold_no
          and new.started_at >= h.started_at and coalesce(new.ended_at, 'infinity') <= coalesce(h.ended_at, 'infinity')
        for key share
      ) then
        raise exception 'a pause is inside its hold' using errcode = 'check_violation', constraint = 'ball_pauses_inside', table = 'ball_pauses';
      end if;
      return null;
    end
    $$`.execute(db)
  await sql`
    create constraint trigger ball_pauses_inside after insert or update on ball_pauses
    for each row execute function refuse_pause_outside()`.execute(db)
  await sql`
    create function refuse_hold_inside_pause () returns trigger
    language plpgsql as $$
    begin
      if exists (
        select from ball_pauses p where p.task_id = new.task_id and p.hold_no = new.no
          and (p.started_at < new.started_at or coalesce(p.ended_at, 'infinity') > coalesce(new.ended_at, 'infinity'))
      ) then
        raise exception 'a pause is inside its hold' using errcode = 'check_violation', constraint = 'ball_pauses_inside', table = 'ball_holds';
      end if;
      return null;
    end
    $$`.execute(db)
  await sql`
    create constraint trigger ball_pauses_inside after update of started_at, ended_at on ball_holds
    for each row when ((new.started_at, new.ended_at) is distinct from (old.started_at, old.ended_at)) execute function refuse_hold_inside_pause()`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop trigger ball_pauses_inside on ball_holds`.execute(db)
  await sql`drop table ball_pauses`.execute(db)
  await sql`drop function refuse_hold_inside_pause, refuse_pause_outside`.execute(db)
  await sql`alter table tasks drop column ball_paused_since`.execute(db)
  await sql`drop extension btree_gist`.execute(db)
}

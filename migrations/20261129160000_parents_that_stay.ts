import { sql, type Kysely } from 'kysely'

/** The trigger's function. @param looksAt what it does first */
const refuseParentCycle = (looksAt: string) => sql.raw(`
    create or replace function refuse_parent_cycle () returns trigger
    language plpgsql as $$
    declare
      above integer;
      below integer := 0;
      is_circle boolean;
    begin
${looksAt}      perform pg_advisory_xact_lock(hashtextextended('task parents of ' || new.project_id, 0));
      with recursive ancestors (id) as (
        select new.parent_id
        union
        select t.parent_id from tasks t join ancestors a on t.id = a.id where t.parent_id is not null
      )
      select count(*), bool_or(id = new.id) into above, is_circle from ancestors;
      if is_circle then
        raise exception 'a task cannot be its own ancestor'
          using errcode = 'check_violation', constraint = 'tasks_parent_cycle', table = 'tasks', column = 'parent_id';
      end if;
      -- A new task has nothing below it. What is deeper than allowed anyway is not followed further.
      if tg_op = 'UPDATE' then
        with recursive descendants (id, level) as (
          select new.id, 0
          union all
          select t.id, d.level + 1 from tasks t join descendants d on t.parent_id = d.id where d.level < 10
        )
        select max(level) into below from descendants;
      end if;
      if above + 1 + below > 10 then
        raise exception 'tasks would be more than ten levels deep'
          using errcode = 'check_violation', constraint = 'tasks_parent_depth', table = 'tasks', column = 'parent_id';
      end if;
      return null;
    end
    $$`)

/**
 * A change that leaves a task under its parent looks at no family. It waited for whoever changed one, holding the task
 * that they may wait for: who moved a family while somebody wrote to a subtask of it met them in a deadlock.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await refuseParentCycle(`      if tg_op = 'UPDATE' and new.parent_id is not distinct from old.parent_id then
        return null;
      end if;
`).execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await refuseParentCycle('').execute(db)
}

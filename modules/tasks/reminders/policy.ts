import { sql } from 'kysely'
import type { Db } from '../../../plugins/database/index.js'
import { recordEvents, type Origin } from '../../activity/index.js'
import { newId } from '../../shared/ids.js'
import type { BallPolicy, SetBallPolicy } from './schemas.js'

/** The id of the company's policy: the migration that adds it made it. */
export const COMPANY_POLICY = '00000000-0000-7000-8000-0000000ba110'

/** What the company expects of whoever has a ball. */
export async function findPolicy (db: Db): Promise<BallPolicy> {
  const { rows: [row] } = await sql<{ rules: SetBallPolicy, version: number, updated_at: string }>`
    select p.version, p.updated_at, (
      select jsonb_object_agg(r.priority, jsonb_build_object('acknowledge_within_seconds', r.acknowledge_within_s, 'act_within_seconds', r.act_within_s))
      from ball_policy_rules r where r.policy_id = p.id
    ) as rules
    from ball_policies p where p.id = ${COMPANY_POLICY}`.execute(db)
  const { rules, ...policy } = row as NonNullable<typeof row>
  return { ...rules, ...policy }
}

/**
 * Sets what the company expects, and records the event, in one statement; the same again records nothing.
 * @returns the version before, and whether it is one of `versions`
 */
export async function setPolicy (db: Db, { rules, versions, origin }: { rules: SetBallPolicy, versions?: number[], origin: Origin }): Promise<{ version: number, fresh: boolean }> {
  const { rows: [row] } = await sql<{ version: number, fresh: boolean }>`
    with p as materialized (
      select *, ${versions ?? null}::int[] is null or version = any(${versions ?? null}::int[]) as fresh from ball_policies where id = ${COMPANY_POLICY} for no key update
    ), wanted as (
      select key as priority, (value ->> 'acknowledge_within_seconds')::int as acknowledge_within_s, (value ->> 'act_within_seconds')::int as act_within_s
      from jsonb_each(${JSON.stringify(rules)}::jsonb)
    ), changed as (
      -- By 'on conflict': who waited for another change sees its rows all the same.
      insert into ball_policy_rules (policy_id, priority, acknowledge_within_s, act_within_s) select p.id, w.priority, w.acknowledge_within_s, w.act_within_s from wanted w, p where p.fresh
      on conflict (policy_id, priority) do update set acknowledge_within_s = excluded.acknowledge_within_s, act_within_s = excluded.act_within_s
        where (ball_policy_rules.acknowledge_within_s, ball_policy_rules.act_within_s) is distinct from (excluded.acknowledge_within_s, excluded.act_within_s)
      returning priority, acknowledge_within_s, act_within_s
    ), after as (
      update ball_policies b set version = b.version + 1, updated_at = greatest(clock_timestamp(), b.updated_at + interval '1 microsecond')
      from p where b.id = p.id and exists (select from changed) returning b.id, b.version, b.updated_at
    ), event as (
      select ${newId()}::uuid as event_id, a.updated_at as at, 'ball_policy' as entity_type, a.id as entity_id, 'updated' as action, null::uuid as project_id, null::uuid as task_id, a.version,
        '{}'::jsonb as changes, (select jsonb_object_agg(priority, jsonb_build_object('acknowledge_within_seconds', acknowledge_within_s, 'act_within_seconds', act_within_s)) from changed) as data
      from after a
    ), ${recordEvents(origin)}
    select version, fresh from p`.execute(db)
  return row as NonNullable<typeof row>
}

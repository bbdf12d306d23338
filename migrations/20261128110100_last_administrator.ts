import { sql, type Kysely } from 'kysely'

/**
 * There is always somebody who may do everything: the last active person with the role admin keeps it and stays active,
 * and that role keeps every permission there is. Looked at when a transaction ends, one after the other: of two
 * administrators who remove each other at once, the second sees what the first did.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create function require_administrator () returns trigger
    language plpgsql as $$
    begin
      if to_jsonb(old) ? 'role_id' then
        if not exists (select from roles r where r.id = (to_jsonb(old) ->> 'role_id')::uuid and r.slug = 'admin' and r.is_system) then return null; end if;
      elsif not exists (select from user_roles ur join roles r on r.id = ur.role_id
          where ur.user_id = (to_jsonb(old) ->> 'id')::uuid and r.slug = 'admin' and r.is_system) then return null;
      end if;
      perform pg_advisory_xact_lock(hashtextextended('eden last administrator', 0));
      -- A statement of its own: what the transaction that had the lock before did is seen by it.
      if not exists (select from users u join user_roles ur on ur.user_id = u.id join roles r on r.id = ur.role_id
          where u.is_active and r.slug = 'admin' and r.is_system) then
        raise exception 'the last administrator stays' using errcode = 'check_violation', constraint = 'users_last_administrator';
      end if;
      return null;
    end
    $$`.execute(db)
  await sql`
    create constraint trigger user_roles_last_administrator after delete or update on user_roles
    deferrable initially deferred for each row execute function require_administrator()`.execute(db)
  await sql`
    create constraint trigger users_last_administrator after update of is_active on users
    deferrable initially deferred for each row when (old.is_active and not new.is_active) execute function require_administrator()`.execute(db)

  await sql`
    create function keep_administrator_whole () returns trigger
    language plpgsql as $$
    begin
      -- A permission that is no more is not missed.
      if exists (select from roles r join permissions p on p.code = old.permission_code where r.id = old.role_id and r.slug = 'admin' and r.is_system
          and not exists (select from role_permissions rp where rp.role_id = r.id and rp.permission_code = p.code)) then
        raise exception 'the role admin keeps every permission' using errcode = 'check_violation', constraint = 'role_permissions_administrator_whole';
      end if;
      return null;
    end
    $$`.execute(db)
  await sql`
    create constraint trigger role_permissions_administrator_whole after delete or update on role_permissions
    deferrable initially deferred for each row execute function keep_administrator_whole()`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop trigger role_permissions_administrator_whole on role_permissions`.execute(db)
  await sql`drop trigger users_last_administrator on users`.execute(db)
  await sql`drop trigger user_roles_last_administrator on user_roles`.execute(db)
  await sql`drop function keep_administrator_whole()`.execute(db)
  await sql`drop function require_administrator()`.execute(db)
}

import { sql } from 'kysely';
import type { Database } from './database.ts';

/**
 * The schema of the migrated database as SQL to read and to compare: enums, tables with their columns, constraints,
 * indexes, policies, grants and comments, views, functions and triggers, each in the order of its name. (`pg_dump` refuses a server of another major version.)
 */
export async function dumpSchema(db: Database): Promise<string> {
  const { rows } = await sql<{ ddl: string }>`
    with tables as (
      select c.oid, c.relname as name
      from pg_class c
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname not like 'kysely\\_%'
        -- Which partitions there are depends on the day.
        and not c.relispartition
    ), parts as (
      select 1 as section, extname as name, 0 as place, format('create extension %I;', extname) as ddl
      from pg_extension where extname <> 'plpgsql'
      union all
      select 2, t.typname, 0,
        format('create type %I as enum (%s);', t.typname,
          (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid))
      from pg_type t where t.typnamespace = 'public'::regnamespace and t.typtype = 'e'
      union all
      select 3, t.name, 0,
        format(E'create table %I (\n%s\n)%s;', t.name,
          (select string_agg(
              format('  %I %s', a.attname, format_type(a.atttypid, a.atttypmod))
                || case when a.attcollation not in (0, y.typcollation) then ' collate ' || quote_ident(k.collname) else '' end
                || case when a.attnotnull then ' not null' else '' end
                || case when a.attidentity = 'a' then ' generated always as identity' else '' end
                || case when a.attgenerated = 's' then ' generated always as (' || pg_get_expr(d.adbin, d.adrelid) || ') stored'
                        when d.adbin is not null then ' default ' || pg_get_expr(d.adbin, d.adrelid) else '' end,
              E',\n' order by a.attnum)
            from pg_attribute a
            join pg_type y on y.oid = a.atttypid
            left join pg_collation k on k.oid = a.attcollation
            left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
            where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped),
          ' partition by ' || pg_get_partkeydef(t.oid))
      from tables t
      union all
      -- not-null constraints stand with their columns
      select 3, t.name, 1,
        string_agg(format('alter table %I add constraint %I %s;', t.name, c.conname, pg_get_constraintdef(c.oid)),
          E'\n' order by c.contype, c.conname)
      from tables t join pg_constraint c on c.conrelid = t.oid and c.contype <> 'n' group by t.name
      union all
      select 3, t.name, 2, string_agg(pg_get_indexdef(i.indexrelid) || ';', E'\n' order by i.indexrelid::regclass::text)
      from tables t join pg_index i on i.indrelid = t.oid
      where not exists (select from pg_constraint c where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x'))
      group by t.name
      union all
      select 3, t.name, 3,
        string_agg(
          case when d.objsubid = 0 then format('comment on table %I is %L;', t.name, d.description)
            else format('comment on column %I.%I is %L;', t.name, a.attname, d.description) end,
          E'\n' order by d.objsubid)
      from tables t join pg_description d on d.objoid = t.oid and d.classoid = 'pg_class'::regclass
      left join pg_attribute a on a.attrelid = t.oid and a.attnum = d.objsubid and d.objsubid > 0
      group by t.name
      union all
      select 3, t.name, 4, format('alter table %I enable row level security;', t.name) || coalesce(E'\n' ||
        string_agg(format('create policy %I on %I for %s using (%s)%s;', p.policyname, t.name, lower(p.cmd), p.qual,
          ' with check (' || p.with_check || ')'), E'\n' order by p.policyname) filter (where p.policyname is not null), '')
      from tables t join pg_class c on c.oid = t.oid and c.relrowsecurity
      left join pg_policies p on p.schemaname = 'public' and p.tablename = t.name
      group by t.name
      union all
      -- the owner's own rights stand nowhere, and are none of these
      select case c.relkind when 'v' then 6 else 3 end, c.relname, 5, string_agg(granted.ddl, E'\n' order by granted.ddl)
      from pg_class c
      cross join lateral (
        select format('grant %s on %I to %I;', string_agg(lower(g.privilege_type), ', ' order by g.privilege_type),
          c.relname, g.grantee) as ddl
        from information_schema.role_table_grants g
        where g.table_schema = 'public' and g.table_name = c.relname and g.grantee <> g.grantor
        group by g.grantee
        union all
        select format('grant %s (%s) on %I to %I;', lower(a.privilege_type), string_agg(quote_ident(a.attname), ', '
          order by a.attnum), c.relname, a.grantee::regrole)
        from (select attname, attnum, (aclexplode(attacl)).* from pg_attribute where attrelid = c.oid) a
        group by a.privilege_type, a.grantee
      ) granted
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
      group by c.relkind, c.relname
      union all
      select 3, c.relname, 0, format('grant usage on sequence %I to %I;', c.relname, g.grantee::regrole)
      from pg_class c cross join lateral aclexplode(c.relacl) g
      where c.relnamespace = 'public'::regnamespace and c.relkind = 'S' and g.privilege_type = 'USAGE' and g.grantee <> c.relowner
      union all
      select 6, c.relname, 0, format(E'create view %I as\n%s', c.relname, pg_get_viewdef(c.oid))
      from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'v'
      union all
      select 4, p.proname, 0, pg_get_functiondef(p.oid) || ';'
      from pg_proc p
      where p.pronamespace = 'public'::regnamespace
        and not exists (select from pg_depend x where x.objid = p.oid and x.deptype = 'e')
      union all
      select 5, g.tgname, 0, pg_get_triggerdef(g.oid) || ';'
      from pg_trigger g join tables t on t.oid = g.tgrelid where not g.tgisinternal
    )
    select ddl from parts where ddl is not null order by section, name collate "C", place`.execute(db);
  return `-- The migrated database; written by \`npm run generate\`, held by a test.\n\n${rows.map(({ ddl }) => ddl).join('\n\n')}\n`;
}

-- hubadmin's database on PostgreSQL 14 or later, its two roles, and what each may do. For psql:
--
--   psql -f postgresql-roles.sql -d postgres     as a superuser, before the first `migrate`
--   psql -f postgresql-roles.sql -d hubadmin     after each `migrate`, as a superuser; or as the
--                                                owner, who may set no password: leave both out
--
-- The owner migrates, prunes, erases and backs up, and could take off what guards the log. So
-- whoever serves, works and seals does it as the other role, which can do no more than that takes.
--
-- It may be run again at any time: it makes what is missing, and the rights exactly these.
-- `manage.py setup --roles` writes it with the passwords and names that stand in the files of settings.
-- Else passwords are taken from the environment, where no list of processes shows them:
-- HUBADMIN_OWNER_PASSWORD and HUBADMIN_PASSWORD; where one is empty, the role's stays as it is.
-- Other names: -v database=… -v owner=… -v serving=…

\set ON_ERROR_STOP on
\set QUIET on
\if :{?database}
\else
  \set database hubadmin
\endif
\if :{?owner}
\else
  \set owner hubadmin_owner
\endif
\if :{?serving}
\else
  \set serving hubadmin
\endif
\set owner_password `printf %s "$HUBADMIN_OWNER_PASSWORD"`
\set serving_password `printf %s "$HUBADMIN_PASSWORD"`
SET client_min_messages = warning;

-- Each query below writes statements, none where there is nothing to do; \gexec runs them.
SELECT format('CREATE ROLE %I LOGIN', name) FROM (VALUES (:'owner'), (:'serving')) AS role(name)
WHERE to_regrole(quote_ident(name)) IS NULL \gexec

SELECT format('ALTER ROLE %I PASSWORD %L', name, password)
FROM (VALUES (:'owner', :'owner_password'), (:'serving', :'serving_password')) AS role(name, password)
WHERE password <> '' \gexec

SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'owner')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec

\connect :"database"
SET client_min_messages = warning;
BEGIN;

-- What a later `migrate` makes can be read and added to at once.
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" GRANT SELECT, INSERT ON TABLES TO :"serving";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" GRANT USAGE ON SEQUENCES TO :"serving";

-- Whoever else may create beside the tables could put a function there that the owner then runs.
SELECT format('ALTER SCHEMA public OWNER TO %I', :'owner')
FROM pg_namespace WHERE nspname = 'public' AND nspowner <> to_regrole(quote_ident(:'owner')) \gexec
REVOKE CREATE ON SCHEMA public FROM PUBLIC, :"serving";

-- What is not granted any more is taken back. Rights on columns go with those on their table.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM :"serving";
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO :"serving";
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO :"serving";
-- Who notes a migration as done that is still to come has `migrate` leave it out, guards and all.
SELECT format('REVOKE INSERT ON %s FROM %I', to_regclass('public.django_migrations'), :'serving')
WHERE to_regclass('public.django_migrations') IS NOT NULL \gexec

-- Of the log, what closes an open entry; a trigger refuses any change of a closed one.
SELECT format('GRANT UPDATE (%s) ON %s TO %I', string_agg(attname, ', '), attrelid::regclass, :'serving')
FROM (VALUES
  ('associations_associationrequest',
   'outcome cause http_status status results num_errors errors links requested_at started_at completed_at'
   ' error_category error_text correlation_id body was_linked was_linked_at verified verified_at'
   ' unverified_cause look_due links_before links_after from_merged_into to_merged_into finished_at sent_at'
   ' batch_id'),
  ('associations_auditexport', 'state rows finished_at'),
  ('hubadmin_user', 'email name role is_active last_login')
) AS changing(name, columns)
JOIN pg_attribute ON attrelid = to_regclass('public.' || name) AND attname = ANY (string_to_array(columns, ' '))
GROUP BY attrelid \gexec

-- What is work, and no log: it is gone when it is done.
SELECT format('GRANT UPDATE, DELETE ON %s TO %I', to_regclass('public.' || name), :'serving')
FROM (VALUES
  ('associations_bulkrun'), ('associations_bulkupload'), ('associations_bulkrow'), ('associations_bulkkey'),
  ('associations_bulkchunk'), ('associations_callslot'), ('associations_callpause'), ('associations_worker'),
  ('associations_sealer'), ('associations_sweep'), ('associations_notice'), ('associations_delivery'),
  ('associations_condition'), ('associations_watch'), ('django_q_ormq'), ('django_q_task'), ('django_q_schedule'),
  ('django_session'), ('hubadmin_providersession'), ('hubadmin_providerlogout')
) AS passing(name)
WHERE to_regclass('public.' || name) IS NOT NULL \gexec

COMMIT;

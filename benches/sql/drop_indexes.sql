-- Takes the log's indexes away and writes down how to make them again: filling without them is faster.

CREATE TABLE bench.index_definitions AS
SELECT CASE WHEN c.oid IS NULL THEN pg_get_indexdef(i.indexrelid)
            ELSE format('ALTER TABLE wallet_data.transfers ADD CONSTRAINT %I %s', c.conname, pg_get_constraintdef(c.oid))
       END AS definition,
       CASE WHEN c.oid IS NULL THEN format('DROP INDEX %s', i.indexrelid::regclass)
            ELSE format('ALTER TABLE wallet_data.transfers DROP CONSTRAINT %I', c.conname)
       END AS removal
FROM pg_index i
LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid
WHERE i.indrelid = 'wallet_data.transfers'::regclass;
SELECT removal FROM bench.index_definitions \gexec

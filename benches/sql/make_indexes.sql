-- Makes the indexes again that drop_indexes.sql took away.

SELECT definition FROM bench.index_definitions \gexec

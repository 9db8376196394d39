DROP INDEX outbox_unsent_id_idx;

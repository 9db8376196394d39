DROP FUNCTION ensure_event_record_partitions(date, date);
DROP TABLE event_records;

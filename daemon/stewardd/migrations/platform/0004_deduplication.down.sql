-- Takes back 0004_deduplication.up.sql: tables that refer to others go first, so that no drop needs CASCADE.
-- No other table refers to these three (the queries of 0004_deduplication.verify.sql prove it), and of the three only
-- api_request_deduplication refers to another one, users, which stays.

DROP INDEX api_request_deduplication_endpoint_requested_at_idx;
DROP INDEX api_request_deduplication_expires_at_idx;
DROP INDEX api_request_deduplication_user_id_idempotency_key_idx;
DROP TABLE api_request_deduplication;
DROP INDEX webhook_deduplication_received_at_idx;
DROP INDEX webhook_deduplication_retry_count_received_at_idx;
DROP INDEX webhook_deduplication_webhook_source_webhook_type_idx;
DROP TABLE webhook_deduplication;
DROP INDEX event_deduplication_processed_at_idx;
DROP INDEX event_deduplication_success_processed_at_idx;
DROP INDEX event_deduplication_event_type_consumer_id_idx;
DROP TABLE event_deduplication;

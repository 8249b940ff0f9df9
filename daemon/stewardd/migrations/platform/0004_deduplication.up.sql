-- Events, webhooks and requests that are taken once.

CREATE TABLE event_deduplication (
    id             uuid          DEFAULT gen_random_uuid(),
    event_id       varchar(255)  NOT NULL,
    event_type     varchar(255)  NOT NULL,
    consumer_id    varchar(255)  NOT NULL,
    processed_at   timestamptz   NOT NULL DEFAULT now(),
    success        boolean       NOT NULL DEFAULT true,
    error_message  text,
    metadata       jsonb,
    created_at     timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT event_deduplication_pkey PRIMARY KEY (id),
    CONSTRAINT event_deduplication_event_id_consumer_id_key UNIQUE (event_id, consumer_id)
);
CREATE INDEX event_deduplication_event_type_consumer_id_idx ON event_deduplication (event_type, consumer_id);
CREATE INDEX event_deduplication_success_processed_at_idx ON event_deduplication (success, processed_at);
CREATE INDEX event_deduplication_processed_at_idx ON event_deduplication (processed_at);
COMMENT ON TABLE event_deduplication IS 'events that a consumer has processed: each is processed once';
COMMENT ON COLUMN event_deduplication.id IS 'surrogate key; external identifiers stand in external_id_mappings';
COMMENT ON COLUMN event_deduplication.event_id IS 'identifier of the event';
COMMENT ON COLUMN event_deduplication.event_type IS 'type of the event';
COMMENT ON COLUMN event_deduplication.consumer_id IS 'who consumed it';
COMMENT ON COLUMN event_deduplication.processed_at IS 'when it was processed';
COMMENT ON COLUMN event_deduplication.success IS 'whether that succeeded';
COMMENT ON COLUMN event_deduplication.error_message IS 'why it failed';
COMMENT ON COLUMN event_deduplication.metadata IS 'what has no column of its own';
COMMENT ON COLUMN event_deduplication.created_at IS 'when the row was written';

CREATE TABLE webhook_deduplication (
    id              uuid          DEFAULT gen_random_uuid(),
    delivery_id     varchar(255)  NOT NULL,
    webhook_source  varchar(100)  NOT NULL,
    webhook_type    varchar(255)  NOT NULL,
    received_at     timestamptz   NOT NULL DEFAULT now(),
    processed_at    timestamptz,
    success         boolean       NOT NULL DEFAULT true,
    status_code     integer,
    error_message   text,
    retry_count     integer       NOT NULL DEFAULT 0,
    payload         jsonb,
    created_at      timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT webhook_deduplication_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_deduplication_delivery_id_webhook_source_key UNIQUE (delivery_id, webhook_source)
);
CREATE INDEX webhook_deduplication_webhook_source_webhook_type_idx
    ON webhook_deduplication (webhook_source, webhook_type);
CREATE INDEX webhook_deduplication_retry_count_received_at_idx ON webhook_deduplication (retry_count, received_at);
CREATE INDEX webhook_deduplication_received_at_idx ON webhook_deduplication (received_at);
COMMENT ON TABLE webhook_deduplication IS
    'webhooks that were delivered: each is taken once, however often it is sent';
COMMENT ON COLUMN webhook_deduplication.id IS 'surrogate key; external identifiers stand in external_id_mappings';
COMMENT ON COLUMN webhook_deduplication.delivery_id IS 'identifier of the delivery';
COMMENT ON COLUMN webhook_deduplication.webhook_source IS 'who sent it';
COMMENT ON COLUMN webhook_deduplication.webhook_type IS 'type of the webhook';
COMMENT ON COLUMN webhook_deduplication.received_at IS 'when it was first received';
COMMENT ON COLUMN webhook_deduplication.processed_at IS 'when it was processed; empty while it is not';
COMMENT ON COLUMN webhook_deduplication.success IS 'whether that succeeded';
COMMENT ON COLUMN webhook_deduplication.status_code IS 'HTTP status of the answer';
COMMENT ON COLUMN webhook_deduplication.error_message IS 'why it failed';
COMMENT ON COLUMN webhook_deduplication.retry_count IS 'how often it was tried again';
COMMENT ON COLUMN webhook_deduplication.payload IS
    '[PII] what was delivered; names and addresses of people stand in it';
COMMENT ON COLUMN webhook_deduplication.created_at IS 'when the row was written';

CREATE TABLE api_request_deduplication (
    id               uuid          DEFAULT gen_random_uuid(),
    idempotency_key  varchar(255)  NOT NULL,
    user_id          uuid,
    endpoint         varchar(500)  NOT NULL,
    method           varchar(10)   NOT NULL,
    requested_at     timestamptz   NOT NULL DEFAULT now(),
    completed_at     timestamptz,
    status_code      integer,
    response_body    jsonb,
    error_message    text,
    expires_at       timestamptz   NOT NULL,
    created_at       timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT api_request_deduplication_pkey PRIMARY KEY (id),
    CONSTRAINT api_request_deduplication_idempotency_key_key UNIQUE (idempotency_key),
    CONSTRAINT api_request_deduplication_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX api_request_deduplication_user_id_idempotency_key_idx
    ON api_request_deduplication (user_id, idempotency_key);
CREATE INDEX api_request_deduplication_expires_at_idx ON api_request_deduplication (expires_at);
CREATE INDEX api_request_deduplication_endpoint_requested_at_idx
    ON api_request_deduplication (endpoint, requested_at);
COMMENT ON TABLE api_request_deduplication IS
    'requests with an idempotency key, and their answers: the same key gets the same answer';
COMMENT ON COLUMN api_request_deduplication.id IS
    'surrogate key; external identifiers stand in external_id_mappings';
COMMENT ON COLUMN api_request_deduplication.idempotency_key IS 'key that the caller chose';
COMMENT ON COLUMN api_request_deduplication.user_id IS 'who called';
COMMENT ON COLUMN api_request_deduplication.endpoint IS 'what was called';
COMMENT ON COLUMN api_request_deduplication.method IS 'HTTP method';
COMMENT ON COLUMN api_request_deduplication.requested_at IS 'when it was requested';
COMMENT ON COLUMN api_request_deduplication.completed_at IS 'when it was answered; empty while it is not';
COMMENT ON COLUMN api_request_deduplication.status_code IS 'HTTP status of the answer';
COMMENT ON COLUMN api_request_deduplication.response_body IS '[PII] the answer; it may hold data of people';
COMMENT ON COLUMN api_request_deduplication.error_message IS 'why it failed';
COMMENT ON COLUMN api_request_deduplication.expires_at IS 'when the key may be forgotten';
COMMENT ON COLUMN api_request_deduplication.created_at IS 'when the row was written';

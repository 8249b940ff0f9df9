-- Who did what.

CREATE TABLE audit_logs (
    id               uuid          DEFAULT gen_random_uuid(),
    company_id       uuid,
    actor_id         text          NOT NULL,
    actor_role       varchar(50)   NOT NULL,
    actor_ip         inet,
    action           varchar(100)  NOT NULL,
    action_category  varchar(50)   NOT NULL,
    resource_type    varchar(100)  NOT NULL,
    resource_id      text,
    before_state     jsonb,
    after_state      jsonb,
    request_id       varchar(100),
    user_agent       text,
    metadata         jsonb,
    retention_until  timestamptz,
    occurred_at      timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT audit_logs_pkey PRIMARY KEY (id),
    CONSTRAINT audit_logs_company_id_fkey FOREIGN KEY (company_id) REFERENCES companies (id),
    CONSTRAINT audit_logs_action_category_check
        CHECK (action_category IN ('AUTH', 'DATA_ACCESS', 'DATA_MODIFICATION', 'PRIVACY', 'ADMIN'))
);
CREATE INDEX audit_logs_company_id_occurred_at_idx ON audit_logs (company_id, occurred_at);
CREATE INDEX audit_logs_resource_type_resource_id_idx ON audit_logs (resource_type, resource_id);
CREATE INDEX audit_logs_retention_until_idx ON audit_logs (retention_until);
COMMENT ON TABLE audit_logs IS 'who did what to which thing, before and after';
COMMENT ON COLUMN audit_logs.id IS 'surrogate key; external identifiers stand in external_id_mappings';
COMMENT ON COLUMN audit_logs.company_id IS 'the company that it concerns';
COMMENT ON COLUMN audit_logs.actor_id IS 'who did it';
COMMENT ON COLUMN audit_logs.actor_role IS 'in which role';
COMMENT ON COLUMN audit_logs.actor_ip IS '[PII] from which address';
COMMENT ON COLUMN audit_logs.action IS 'what was done';
COMMENT ON COLUMN audit_logs.action_category IS 'kind of action';
COMMENT ON COLUMN audit_logs.resource_type IS 'kind of thing that it was done to';
COMMENT ON COLUMN audit_logs.resource_id IS 'the thing';
COMMENT ON COLUMN audit_logs.before_state IS '[PII] the thing before';
COMMENT ON COLUMN audit_logs.after_state IS '[PII] the thing after';
COMMENT ON COLUMN audit_logs.request_id IS 'the request that it was a part of';
COMMENT ON COLUMN audit_logs.user_agent IS 'program that the actor used';
COMMENT ON COLUMN audit_logs.metadata IS 'what has no column of its own';
COMMENT ON COLUMN audit_logs.retention_until IS 'until when it must be kept';
COMMENT ON COLUMN audit_logs.occurred_at IS 'when it was done';

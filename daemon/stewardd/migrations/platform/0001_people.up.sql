-- People, companies, and who takes part in what.

CREATE TABLE users (
    id          uuid          DEFAULT gen_random_uuid(),
    email       varchar(255)  NOT NULL,
    role        varchar(50)   NOT NULL,
    first_name  varchar(100),
    last_name   varchar(100),
    created_at  timestamptz   NOT NULL DEFAULT now(),
    updated_at  timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email_key UNIQUE (email),
    CONSTRAINT users_role_check CHECK (role IN ('admin', 'company_user', 'participant', 'volunteer'))
);
CREATE INDEX users_role_created_at_idx ON users (role, created_at);
COMMENT ON TABLE users IS 'everybody who uses the platform: staff of it and of companies, participants, volunteers';
COMMENT ON COLUMN users.id IS 'surrogate key; external identifiers stand in external_id_mappings';
COMMENT ON COLUMN users.email IS '[PII] address that the user signs in with; one account an address';
COMMENT ON COLUMN users.role IS 'what the user is on the platform';
COMMENT ON COLUMN users.first_name IS '[PII] given name';
COMMENT ON COLUMN users.last_name IS '[PII] family name';
COMMENT ON COLUMN users.created_at IS 'when the row was written';
COMMENT ON COLUMN users.updated_at IS 'when the row was last changed';

CREATE TABLE companies (
    id          uuid          DEFAULT gen_random_uuid(),
    name        varchar(255)  NOT NULL,
    industry    varchar(100),
    country     varchar(100),
    created_at  timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT companies_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE companies IS 'companies that take part; every query on behalf of a company filters by its id';
COMMENT ON COLUMN companies.id IS 'surrogate key; external identifiers stand in external_id_mappings';
COMMENT ON COLUMN companies.name IS 'name that the company goes by';
COMMENT ON COLUMN companies.industry IS 'branch of business';
COMMENT ON COLUMN companies.country IS 'country of its seat';
COMMENT ON COLUMN companies.created_at IS 'when the row was written';

CREATE TABLE company_users (
    id          uuid         DEFAULT gen_random_uuid(),
    company_id  uuid         NOT NULL,
    user_id     uuid         NOT NULL,
    joined_at   timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT company_users_pkey PRIMARY KEY (id),
    CONSTRAINT company_users_company_id_user_id_key UNIQUE (company_id, user_id),
    CONSTRAINT company_users_company_id_fkey FOREIGN KEY (company_id) REFERENCES companies (id),
    CONSTRAINT company_users_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX company_users_user_id_idx ON company_users (user_id);
COMMENT ON TABLE company_users IS 'which users belong to which company';
COMMENT ON COLUMN company_users.id IS 'surrogate key; external identifiers stand in external_id_mappings';
COMMENT ON COLUMN company_users.company_id IS 'the company';
COMMENT ON COLUMN company_users.user_id IS 'the user';
COMMENT ON COLUMN company_users.joined_at IS 'when the user joined the company';

CREATE TABLE program_enrollments (
    id            uuid         DEFAULT gen_random_uuid(),
    user_id       uuid         NOT NULL,
    program_type  varchar(50)  NOT NULL,
    enrolled_at   timestamptz  NOT NULL DEFAULT now(),
    status        varchar(50)  NOT NULL DEFAULT 'active',
    completed_at  timestamptz,
    CONSTRAINT program_enrollments_pkey PRIMARY KEY (id),
    CONSTRAINT program_enrollments_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT program_enrollments_program_type_check
        CHECK (program_type IN ('buddy', 'language', 'mentorship', 'upskilling')),
    CONSTRAINT program_enrollments_status_check CHECK (status IN ('active', 'completed', 'dropped'))
);
CREATE INDEX program_enrollments_user_id_idx ON program_enrollments (user_id);
COMMENT ON TABLE program_enrollments IS 'which users take part in which programme, and how that ended';
COMMENT ON COLUMN program_enrollments.id IS 'surrogate key; external identifiers stand in external_id_mappings';
COMMENT ON COLUMN program_enrollments.user_id IS 'who takes part';
COMMENT ON COLUMN program_enrollments.program_type IS 'the programme';
COMMENT ON COLUMN program_enrollments.enrolled_at IS 'when the user enrolled';
COMMENT ON COLUMN program_enrollments.status IS 'whether the user still takes part';
COMMENT ON COLUMN program_enrollments.completed_at IS 'when the programme was completed; empty while it is not';

CREATE TABLE external_id_mappings (
    id               uuid          DEFAULT gen_random_uuid(),
    user_id          uuid          NOT NULL,
    external_system  varchar(50)   NOT NULL,
    external_id      varchar(255)  NOT NULL,
    created_at       timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT external_id_mappings_pkey PRIMARY KEY (id),
    CONSTRAINT external_id_mappings_external_system_external_id_key UNIQUE (external_system, external_id),
    CONSTRAINT external_id_mappings_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX external_id_mappings_user_id_idx ON external_id_mappings (user_id);
COMMENT ON TABLE external_id_mappings IS 'under which identifiers other systems know a user';
COMMENT ON COLUMN external_id_mappings.id IS 'surrogate key; external identifiers stand in external_id_mappings';
COMMENT ON COLUMN external_id_mappings.user_id IS 'the user';
COMMENT ON COLUMN external_id_mappings.external_system IS 'the other system';
COMMENT ON COLUMN external_id_mappings.external_id IS 'the identifier there';
COMMENT ON COLUMN external_id_mappings.created_at IS 'when the row was written';

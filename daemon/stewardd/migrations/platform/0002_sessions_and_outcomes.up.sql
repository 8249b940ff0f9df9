-- Sessions and courses, and what came of them.

CREATE TABLE kintell_sessions (
    id                   uuid          DEFAULT gen_random_uuid(),
    external_session_id  varchar(255),
    session_type         varchar(50)   NOT NULL,
    participant_id       uuid          NOT NULL,
    volunteer_id         uuid          NOT NULL,
    scheduled_at         timestamptz,
    completed_at         timestamptz,
    duration_minutes     integer,
    rating               numeric(3,2),
    feedback_text        text,
    language_level       varchar(10),
    topics               jsonb,
    metadata             jsonb,
    created_at           timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT kintell_sessions_pkey PRIMARY KEY (id),
    CONSTRAINT kintell_sessions_session_type_external_session_id_key UNIQUE (session_type, external_session_id),
    CONSTRAINT kintell_sessions_participant_id_fkey FOREIGN KEY (participant_id) REFERENCES users (id),
    CONSTRAINT kintell_sessions_volunteer_id_fkey FOREIGN KEY (volunteer_id) REFERENCES users (id),
    CONSTRAINT kintell_sessions_session_type_check CHECK (session_type IN ('language', 'mentorship')),
    CONSTRAINT kintell_sessions_rating_check CHECK (rating BETWEEN 0 AND 1),
    CONSTRAINT kintell_sessions_language_level_check CHECK (language_level IN ('A1', 'A2', 'B1', 'B2', 'C1', 'C2'))
);
CREATE INDEX kintell_sessions_participant_id_completed_at_idx ON kintell_sessions (participant_id, completed_at);
CREATE INDEX kintell_sessions_volunteer_id_completed_at_idx ON kintell_sessions (volunteer_id, completed_at);
CREATE INDEX kintell_sessions_session_type_completed_at_idx ON kintell_sessions (session_type, completed_at);
COMMENT ON TABLE kintell_sessions IS 'language and mentorship sessions, imported from Kintell';
COMMENT ON COLUMN kintell_sessions.id IS 'surrogate key; external identifiers stand in external_id_mappings';
COMMENT ON COLUMN kintell_sessions.external_session_id IS 'identifier of the session at Kintell';
COMMENT ON COLUMN kintell_sessions.session_type IS 'language or mentorship';
COMMENT ON COLUMN kintell_sessions.participant_id IS 'who took part';
COMMENT ON COLUMN kintell_sessions.volunteer_id IS 'the volunteer, or the mentor';
COMMENT ON COLUMN kintell_sessions.scheduled_at IS 'when it was to begin';
COMMENT ON COLUMN kintell_sessions.completed_at IS 'when it ended; empty while it has not';
COMMENT ON COLUMN kintell_sessions.duration_minutes IS 'length in minutes';
COMMENT ON COLUMN kintell_sessions.rating IS 'rating from 0 to 1';
COMMENT ON COLUMN kintell_sessions.feedback_text IS '[PII] feedback in the words of the participant';
COMMENT ON COLUMN kintell_sessions.language_level IS 'level of the Common European Framework of Reference (CEFR)';
COMMENT ON COLUMN kintell_sessions.topics IS 'what it was about';
COMMENT ON COLUMN kintell_sessions.metadata IS
    'what has no column of its own; focus_area and goals_discussed of a mentorship session';
COMMENT ON COLUMN kintell_sessions.created_at IS 'when the row was written';

CREATE TABLE learning_progress (
    id                uuid          DEFAULT gen_random_uuid(),
    user_id           uuid          NOT NULL,
    provider          varchar(100)  NOT NULL,
    course_id         varchar(255)  NOT NULL,
    course_name       varchar(255),
    status            varchar(50),
    progress_percent  integer,
    started_at        timestamptz,
    completed_at      timestamptz,
    credential_ref    varchar(255),
    metadata          jsonb,
    created_at        timestamptz   NOT NULL DEFAULT now(),
    updated_at        timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT learning_progress_pkey PRIMARY KEY (id),
    CONSTRAINT learning_progress_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT learning_progress_status_check CHECK (status IN ('enrolled', 'in_progress', 'completed', 'dropped')),
    CONSTRAINT learning_progress_progress_percent_check CHECK (progress_percent BETWEEN 0 AND 100)
);
CREATE INDEX learning_progress_user_id_status_idx ON learning_progress (user_id, status);
CREATE INDEX learning_progress_provider_status_idx ON learning_progress (provider, status);
COMMENT ON TABLE learning_progress IS 'progress in courses of learning providers';
COMMENT ON COLUMN learning_progress.id IS 'surrogate key; external identifiers stand in external_id_mappings';
COMMENT ON COLUMN learning_progress.user_id IS 'who learns';
COMMENT ON COLUMN learning_progress.provider IS 'the learning provider';
COMMENT ON COLUMN learning_progress.course_id IS 'identifier of the course at the provider';
COMMENT ON COLUMN learning_progress.course_name IS 'name of the course';
COMMENT ON COLUMN learning_progress.status IS 'how far the learner is';
COMMENT ON COLUMN learning_progress.progress_percent IS 'progress from 0 to 100';
COMMENT ON COLUMN learning_progress.started_at IS 'when the course was begun';
COMMENT ON COLUMN learning_progress.completed_at IS 'when the course was completed; empty while it is not';
COMMENT ON COLUMN learning_progress.credential_ref IS 'reference of the certificate';
COMMENT ON COLUMN learning_progress.metadata IS 'what has no column of its own';
COMMENT ON COLUMN learning_progress.created_at IS 'when the row was written';
COMMENT ON COLUMN learning_progress.updated_at IS 'when the row was last changed';

CREATE TABLE outcome_scores (
    id             uuid          DEFAULT gen_random_uuid(),
    text_id        uuid          NOT NULL,
    text_type      varchar(50),
    dimension      varchar(50)   NOT NULL,
    score          numeric(4,3)  NOT NULL,
    confidence     numeric(4,3),
    model_version  varchar(50),
    created_at     timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT outcome_scores_pkey PRIMARY KEY (id),
    CONSTRAINT outcome_scores_text_type_check
        CHECK (text_type IN ('buddy_feedback', 'kintell_feedback', 'checkin_note')),
    CONSTRAINT outcome_scores_dimension_check
        CHECK (dimension IN ('confidence', 'belonging', 'lang_level_proxy', 'job_readiness', 'well_being')),
    CONSTRAINT outcome_scores_score_check CHECK (score BETWEEN 0 AND 1),
    CONSTRAINT outcome_scores_confidence_check CHECK (confidence BETWEEN 0 AND 1)
);
CREATE INDEX outcome_scores_text_id_text_type_idx ON outcome_scores (text_id, text_type);
CREATE INDEX outcome_scores_dimension_created_at_idx ON outcome_scores (dimension, created_at);
COMMENT ON TABLE outcome_scores IS 'what a text says of an outcome for its author, as a model scored it';
COMMENT ON COLUMN outcome_scores.id IS 'surrogate key; external identifiers stand in external_id_mappings';
COMMENT ON COLUMN outcome_scores.text_id IS 'the text: the row of the table that text_type names';
COMMENT ON COLUMN outcome_scores.text_type IS 'kind of text';
COMMENT ON COLUMN outcome_scores.dimension IS 'outcome that is scored';
COMMENT ON COLUMN outcome_scores.score IS 'score from 0 to 1';
COMMENT ON COLUMN outcome_scores.confidence IS 'confidence of the model, from 0 to 1';
COMMENT ON COLUMN outcome_scores.model_version IS 'the model';
COMMENT ON COLUMN outcome_scores.created_at IS 'when the row was written';

CREATE TABLE evidence_snippets (
    id                uuid          DEFAULT gen_random_uuid(),
    outcome_score_id  uuid,
    snippet_text      text,
    snippet_hash      varchar(64),
    embedding_ref     varchar(255),
    created_at        timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT evidence_snippets_pkey PRIMARY KEY (id),
    CONSTRAINT evidence_snippets_snippet_hash_key UNIQUE (snippet_hash),
    CONSTRAINT evidence_snippets_outcome_score_id_fkey FOREIGN KEY (outcome_score_id) REFERENCES outcome_scores (id)
);
CREATE INDEX evidence_snippets_outcome_score_id_idx ON evidence_snippets (outcome_score_id);
COMMENT ON TABLE evidence_snippets IS 'pieces of text that a score rests on';
COMMENT ON COLUMN evidence_snippets.id IS 'surrogate key; external identifiers stand in external_id_mappings';
COMMENT ON COLUMN evidence_snippets.outcome_score_id IS 'the score';
COMMENT ON COLUMN evidence_snippets.snippet_text IS '[PII] the piece of text';
COMMENT ON COLUMN evidence_snippets.snippet_hash IS
    'SHA-256 of the text, in hexadecimal; the same text is kept once';
COMMENT ON COLUMN evidence_snippets.embedding_ref IS 'where the embedding of the text is kept';
COMMENT ON COLUMN evidence_snippets.created_at IS 'when the row was written';

CREATE TABLE metrics_company_period (
    id                     uuid          DEFAULT gen_random_uuid(),
    company_id             uuid          NOT NULL,
    period_start           date          NOT NULL,
    period_end             date          NOT NULL,
    participants_count     integer,
    volunteers_count       integer,
    sessions_count         integer,
    avg_integration_score  numeric(4,3),
    avg_language_level     numeric(4,3),
    avg_job_readiness      numeric(4,3),
    sroi_ratio             numeric(6,2),
    vis_score              numeric(6,2),
    created_at             timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT metrics_company_period_pkey PRIMARY KEY (id),
    CONSTRAINT metrics_company_period_company_id_fkey FOREIGN KEY (company_id) REFERENCES companies (id)
);
CREATE INDEX metrics_company_period_company_id_period_start_idx ON metrics_company_period (company_id, period_start);
COMMENT ON TABLE metrics_company_period IS 'figures of a company for a period, as reports show them';
COMMENT ON COLUMN metrics_company_period.id IS 'surrogate key; external identifiers stand in external_id_mappings';
COMMENT ON COLUMN metrics_company_period.company_id IS 'the company';
COMMENT ON COLUMN metrics_company_period.period_start IS 'first day of the period';
COMMENT ON COLUMN metrics_company_period.period_end IS 'last day of the period';
COMMENT ON COLUMN metrics_company_period.participants_count IS 'participants in the period';
COMMENT ON COLUMN metrics_company_period.volunteers_count IS 'volunteers in the period';
COMMENT ON COLUMN metrics_company_period.sessions_count IS 'sessions in the period';
COMMENT ON COLUMN metrics_company_period.avg_integration_score IS 'mean of the integration scores';
COMMENT ON COLUMN metrics_company_period.avg_language_level IS 'mean of the language levels';
COMMENT ON COLUMN metrics_company_period.avg_job_readiness IS 'mean of the scores of job readiness';
COMMENT ON COLUMN metrics_company_period.sroi_ratio IS 'social return on investment (SROI)';
COMMENT ON COLUMN metrics_company_period.vis_score IS 'volunteer impact score (VIS)';
COMMENT ON COLUMN metrics_company_period.created_at IS 'when the row was written';

CREATE TABLE safety_flags (
    id                     uuid          DEFAULT gen_random_uuid(),
    content_id             uuid          NOT NULL,
    content_type           varchar(50)   NOT NULL,
    flag_reason            varchar(100)  NOT NULL,
    confidence             numeric(4,3),
    requires_human_review  boolean       NOT NULL DEFAULT false,
    review_status          varchar(50)   DEFAULT 'pending',
    reviewed_by            uuid,
    review_notes           text,
    reviewed_at            timestamptz,
    raised_at              timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT safety_flags_pkey PRIMARY KEY (id),
    CONSTRAINT safety_flags_reviewed_by_fkey FOREIGN KEY (reviewed_by) REFERENCES users (id),
    CONSTRAINT safety_flags_content_type_check
        CHECK (content_type IN ('feedback_text', 'checkin_note', 'message', 'other')),
    CONSTRAINT safety_flags_flag_reason_check
        CHECK (flag_reason IN ('profanity', 'pii_leakage', 'hate_speech', 'other')),
    CONSTRAINT safety_flags_confidence_check CHECK (confidence BETWEEN 0 AND 1),
    CONSTRAINT safety_flags_review_status_check
        CHECK (review_status IN ('pending', 'approved', 'rejected', 'escalated'))
);
CREATE INDEX safety_flags_review_status_raised_at_idx ON safety_flags (review_status, raised_at);
CREATE INDEX safety_flags_content_id_content_type_idx ON safety_flags (content_id, content_type);
CREATE INDEX safety_flags_reviewed_by_idx ON safety_flags (reviewed_by);
COMMENT ON TABLE safety_flags IS 'contents that were flagged as unsafe, and what a reviewer said of them';
COMMENT ON COLUMN safety_flags.id IS 'surrogate key; external identifiers stand in external_id_mappings';
COMMENT ON COLUMN safety_flags.content_id IS 'the content: the row that content_type names';
COMMENT ON COLUMN safety_flags.content_type IS 'kind of content';
COMMENT ON COLUMN safety_flags.flag_reason IS 'why it was flagged';
COMMENT ON COLUMN safety_flags.confidence IS 'confidence of the detector, from 0 to 1';
COMMENT ON COLUMN safety_flags.requires_human_review IS 'whether a person must look at it';
COMMENT ON COLUMN safety_flags.review_status IS 'where the review stands';
COMMENT ON COLUMN safety_flags.reviewed_by IS 'who reviewed it';
COMMENT ON COLUMN safety_flags.review_notes IS 'what the reviewer noted';
COMMENT ON COLUMN safety_flags.reviewed_at IS 'when it was reviewed; empty while it was not';
COMMENT ON COLUMN safety_flags.raised_at IS 'when it was flagged';

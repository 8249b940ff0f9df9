-- Pairs of participants and buddies.

CREATE TABLE buddy_matches (
    id              uuid         DEFAULT gen_random_uuid(),
    participant_id  uuid         NOT NULL,
    buddy_id        uuid         NOT NULL,
    matched_at      timestamptz  NOT NULL DEFAULT now(),
    status          varchar(50)  NOT NULL DEFAULT 'active',
    ended_at        timestamptz,
    CONSTRAINT buddy_matches_pkey PRIMARY KEY (id),
    CONSTRAINT buddy_matches_participant_id_fkey FOREIGN KEY (participant_id) REFERENCES users (id),
    CONSTRAINT buddy_matches_buddy_id_fkey FOREIGN KEY (buddy_id) REFERENCES users (id),
    CONSTRAINT buddy_matches_status_check CHECK (status IN ('active', 'inactive', 'ended'))
);
CREATE INDEX buddy_matches_participant_id_status_idx ON buddy_matches (participant_id, status);
CREATE INDEX buddy_matches_buddy_id_status_idx ON buddy_matches (buddy_id, status);
COMMENT ON TABLE buddy_matches IS 'pairs of a participant and a buddy';
COMMENT ON COLUMN buddy_matches.id IS 'surrogate key; external identifiers stand in external_id_mappings';
COMMENT ON COLUMN buddy_matches.participant_id IS 'the participant';
COMMENT ON COLUMN buddy_matches.buddy_id IS 'the buddy';
COMMENT ON COLUMN buddy_matches.matched_at IS 'when they were matched';
COMMENT ON COLUMN buddy_matches.status IS 'whether they still meet';
COMMENT ON COLUMN buddy_matches.ended_at IS 'when the match ended; empty while it has not';

CREATE TABLE buddy_events (
    id           uuid          DEFAULT gen_random_uuid(),
    match_id     uuid          NOT NULL,
    event_type   varchar(100),
    event_date   timestamptz,
    description  text,
    location     varchar(255),
    created_at   timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT buddy_events_pkey PRIMARY KEY (id),
    CONSTRAINT buddy_events_match_id_fkey FOREIGN KEY (match_id) REFERENCES buddy_matches (id)
);
CREATE INDEX buddy_events_match_id_event_date_idx ON buddy_events (match_id, event_date);
COMMENT ON TABLE buddy_events IS 'what a pair did together';
COMMENT ON COLUMN buddy_events.id IS 'surrogate key; external identifiers stand in external_id_mappings';
COMMENT ON COLUMN buddy_events.match_id IS 'the pair';
COMMENT ON COLUMN buddy_events.event_type IS 'kind of event';
COMMENT ON COLUMN buddy_events.event_date IS 'when it took place';
COMMENT ON COLUMN buddy_events.description IS 'what it was';
COMMENT ON COLUMN buddy_events.location IS 'where it was';
COMMENT ON COLUMN buddy_events.created_at IS 'when the row was written';

CREATE TABLE buddy_checkins (
    id            uuid         DEFAULT gen_random_uuid(),
    match_id      uuid         NOT NULL,
    checkin_date  timestamptz  NOT NULL DEFAULT now(),
    mood          varchar(50),
    notes         text,
    CONSTRAINT buddy_checkins_pkey PRIMARY KEY (id),
    CONSTRAINT buddy_checkins_match_id_fkey FOREIGN KEY (match_id) REFERENCES buddy_matches (id),
    CONSTRAINT buddy_checkins_mood_check CHECK (mood IN ('great', 'good', 'okay', 'struggling', 'difficult'))
);
CREATE INDEX buddy_checkins_match_id_checkin_date_idx ON buddy_checkins (match_id, checkin_date);
COMMENT ON TABLE buddy_checkins IS 'how a pair feels about its match, asked from time to time';
COMMENT ON COLUMN buddy_checkins.id IS 'surrogate key; external identifiers stand in external_id_mappings';
COMMENT ON COLUMN buddy_checkins.match_id IS 'the pair';
COMMENT ON COLUMN buddy_checkins.checkin_date IS 'when they were asked';
COMMENT ON COLUMN buddy_checkins.mood IS 'how it goes';
COMMENT ON COLUMN buddy_checkins.notes IS '[PII] what they said';

CREATE TABLE buddy_feedback (
    id             uuid          DEFAULT gen_random_uuid(),
    match_id       uuid          NOT NULL,
    from_role      varchar(50)   NOT NULL,
    rating         numeric(3,2)  NOT NULL,
    feedback_text  text,
    submitted_at   timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT buddy_feedback_pkey PRIMARY KEY (id),
    CONSTRAINT buddy_feedback_match_id_fkey FOREIGN KEY (match_id) REFERENCES buddy_matches (id),
    CONSTRAINT buddy_feedback_from_role_check CHECK (from_role IN ('participant', 'buddy')),
    CONSTRAINT buddy_feedback_rating_check CHECK (rating BETWEEN 0 AND 1)
);
CREATE INDEX buddy_feedback_match_id_submitted_at_idx ON buddy_feedback (match_id, submitted_at);
COMMENT ON TABLE buddy_feedback IS 'ratings of a match by the participant or the buddy';
COMMENT ON COLUMN buddy_feedback.id IS 'surrogate key; external identifiers stand in external_id_mappings';
COMMENT ON COLUMN buddy_feedback.match_id IS 'the pair';
COMMENT ON COLUMN buddy_feedback.from_role IS 'who gives it';
COMMENT ON COLUMN buddy_feedback.rating IS 'rating from 0 to 1';
COMMENT ON COLUMN buddy_feedback.feedback_text IS '[PII] feedback in the words of its author';
COMMENT ON COLUMN buddy_feedback.submitted_at IS 'when it was given';

-- Takes back 0003_buddies.up.sql: tables that refer to others go first, so that no drop needs CASCADE.

DROP TABLE buddy_feedback;
DROP TABLE buddy_checkins;
DROP TABLE buddy_events;
DROP TABLE buddy_matches;

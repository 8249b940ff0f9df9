-- Takes back 0001_people.up.sql: tables that refer to others go first, so that no drop needs CASCADE.

DROP TABLE external_id_mappings;
DROP TABLE program_enrollments;
DROP TABLE company_users;
DROP TABLE companies;
DROP TABLE users;

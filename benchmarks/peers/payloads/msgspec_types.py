"""The nine schemas as types of msgspec. A member that may be missing is UNSET: null fails it, as the schemas say."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
ADDRESS = rf"^{ATOM}(\.{ATOM})*@({LABEL}\.)+{LABEL}$"
ABSOLUTE_URL = r"^[Hh][Tt][Tt][Pp][Ss]?://[!-~]+$"

Time = Annotated[datetime, Meta(tz=True)]
Email = Annotated[str, Meta(pattern=ADDRESS)]
Url = Annotated[str, Meta(pattern=ABSOLUTE_URL)]
Text100 = Annotated[str, Meta(min_length=1, max_length=100)]
Text255 = Annotated[str, Meta(min_length=1, max_length=255)]
ShortName = Annotated[str, Meta(max_length=100)]
ShortText = Annotated[str, Meta(max_length=255)]
LongText = Annotated[str, Meta(max_length=5000)]
Percent = Annotated[int, Meta(ge=0, le=100)]
Rating = Annotated[float, Meta(ge=0, le=1)]
Status = Literal["enrolled", "in_progress", "completed", "dropped"]


class BuddyMatch(Struct):
    """buddy_match 1.0."""

    participant_id: UUID
    buddy_id: UUID
    matched_at: Time | UnsetType = UNSET
    status: Literal["active", "inactive", "ended"] | UnsetType = UNSET


class BuddyEvent(Struct):
    """buddy_event 1.0."""

    match_id: UUID
    event_type: Text100
    event_date: Time
    description: LongText | UnsetType = UNSET
    location: ShortText | UnsetType = UNSET


class BuddyCheckin(Struct):
    """buddy_checkin 1.0."""

    match_id: UUID
    mood: Literal["great", "good", "okay", "struggling", "difficult"]
    checkin_date: Time | UnsetType = UNSET
    notes: LongText | UnsetType = UNSET


class BuddyFeedback(Struct):
    """buddy_feedback 1.0."""

    match_id: UUID
    from_role: Literal["participant", "buddy"]
    rating: Rating
    feedback_text: LongText | UnsetType = UNSET
    submitted_at: Time | UnsetType = UNSET


class BuddyWebhook(Struct, tag_field="event_type"):
    """What the webhooks of the buddy service share; the tag chooses the type of `data`."""

    event_id: Text255
    timestamp: Time


class MatchCreated(BuddyWebhook, tag="match.created"):
    """A buddy_webhook 1.0 of a match."""

    data: BuddyMatch


class EventCreated(BuddyWebhook, tag="event.created"):
    """A buddy_webhook 1.0 of an event."""

    data: BuddyEvent


class CheckinSubmitted(BuddyWebhook, tag="checkin.submitted"):
    """A buddy_webhook 1.0 of a check-in."""

    data: BuddyCheckin


class FeedbackSubmitted(BuddyWebhook, tag="feedback.submitted"):
    """A buddy_webhook 1.0 of feedback."""

    data: BuddyFeedback


class LearningProgress(Struct):
    """learning_progress 1.0."""

    user_id: UUID
    provider: Literal["ecornell", "itslearning", "generic"]
    course_id: Text255
    course_name: Text255
    status: Status
    progress_percent: Percent | UnsetType = UNSET
    started_at: Time | UnsetType = UNSET
    completed_at: Time | UnsetType = UNSET
    credential_ref: ShortText | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class EcornellUser(Struct):
    """The user of an ecornell_webhook 1.0."""

    external_id: Text255
    email: Email
    first_name: ShortName | UnsetType = UNSET
    last_name: ShortName | UnsetType = UNSET


class EcornellCourse(Struct):
    """The course of an ecornell_webhook 1.0."""

    course_id: Text255
    course_name: Text255
    course_url: Url | UnsetType = UNSET


class EcornellProgress(Struct):
    """The progress of an ecornell_webhook 1.0."""

    status: Status
    percent_complete: Percent | UnsetType = UNSET
    started_at: Time | UnsetType = UNSET
    completed_at: Time | UnsetType = UNSET


class EcornellCertificate(Struct):
    """The certificate of an ecornell_webhook 1.0."""

    certificate_id: ShortText | UnsetType = UNSET
    certificate_url: Url | UnsetType = UNSET
    issued_at: Time | UnsetType = UNSET


class EcornellWebhook(Struct):
    """ecornell_webhook 1.0."""

    event_type: Literal[
        "enrollment.created", "course.started", "course.completed", "certificate.issued"
    ]
    event_id: Text255
    timestamp: Time
    user: EcornellUser
    course: EcornellCourse
    progress: EcornellProgress
    certificate: EcornellCertificate | UnsetType = UNSET


class ItslearningWebhook(Struct, rename="camel"):
    """itslearning_webhook 1.0."""

    event_type: Literal["CourseEnrollment", "CourseProgress", "CourseCompletion"]
    event_id: Text255
    timestamp: Time
    user_id: Text255
    user_email: Email
    course_id: Text255
    course_name: Text255
    status: Status
    progress_percentage: Percent | UnsetType = UNSET
    start_date: Time | UnsetType = UNSET
    completion_date: Time | UnsetType = UNSET
    certificate_url: Url | UnsetType = UNSET


class GenericWebhook(Struct):
    """generic_webhook 1.0."""

    event_type: Text100
    event_id: Text255
    timestamp: Time
    provider: Text100
    user_identifier: Text255
    course_id: Text255
    course_name: Text255
    status: Status
    progress_percent: Percent | UnsetType = UNSET
    started_at: Time | UnsetType = UNSET
    completed_at: Time | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


TYPES: dict[str, Any] = {
    "buddy_match": BuddyMatch,
    "buddy_event": BuddyEvent,
    "buddy_checkin": BuddyCheckin,
    "buddy_feedback": BuddyFeedback,
    "buddy_webhook": MatchCreated | EventCreated | CheckinSubmitted | FeedbackSubmitted,
    "learning_progress": LearningProgress,
    "ecornell_webhook": EcornellWebhook,
    "itslearning_webhook": ItslearningWebhook,
    "generic_webhook": GenericWebhook,
}

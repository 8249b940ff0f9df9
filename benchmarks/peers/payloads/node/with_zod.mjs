// Zod 4: the nine schemas said in Zod. It reports every error, but judges a webhook's `data` only if its type is known.
import * as z from "zod";

const moment = z.iso.datetime({ offset: true });
const url = z.url({ protocol: /^https?$/i });
const percent = z.int().min(0).max(100);
const status = z.enum(["enrolled", "in_progress", "completed", "dropped"]);
const text = (max) => z.string().min(1).max(max);
const metadata = z.record(z.string(), z.unknown());

const match = z.object({
  participant_id: z.guid(),
  buddy_id: z.guid(),
  matched_at: moment.optional(),
  status: z.enum(["active", "inactive", "ended"]).optional(),
});
const event = z.object({
  match_id: z.guid(),
  event_type: text(100),
  event_date: moment,
  description: z.string().max(5000).optional(),
  location: z.string().max(255).optional(),
});
const checkin = z.object({
  match_id: z.guid(),
  checkin_date: moment.optional(),
  mood: z.enum(["great", "good", "okay", "struggling", "difficult"]),
  notes: z.string().max(5000).optional(),
});
const feedback = z.object({
  match_id: z.guid(),
  from_role: z.enum(["participant", "buddy"]),
  rating: z.number().min(0).max(1),
  feedback_text: z.string().max(5000).optional(),
  submitted_at: moment.optional(),
});
const buddyWebhook = (type, data) =>
  z.object({ event_type: z.literal(type), event_id: text(255), timestamp: moment, data });

const schemas = {
  buddy_match: match,
  buddy_event: event,
  buddy_checkin: checkin,
  buddy_feedback: feedback,
  buddy_webhook: z.discriminatedUnion("event_type", [
    buddyWebhook("match.created", match),
    buddyWebhook("event.created", event),
    buddyWebhook("checkin.submitted", checkin),
    buddyWebhook("feedback.submitted", feedback),
  ]),
  learning_progress: z.object({
    user_id: z.guid(),
    provider: z.enum(["ecornell", "itslearning", "generic"]),
    course_id: text(255),
    course_name: text(255),
    status,
    progress_percent: percent.optional(),
    started_at: moment.optional(),
    completed_at: moment.optional(),
    credential_ref: z.string().max(255).optional(),
    metadata: metadata.optional(),
  }),
  ecornell_webhook: z.object({
    event_type: z.enum(["enrollment.created", "course.started", "course.completed", "certificate.issued"]),
    event_id: text(255),
    timestamp: moment,
    user: z.object({
      external_id: text(255),
      email: z.email(),
      first_name: z.string().max(100).optional(),
      last_name: z.string().max(100).optional(),
    }),
    course: z.object({ course_id: text(255), course_name: text(255), course_url: url.optional() }),
    progress: z.object({
      status,
      percent_complete: percent.optional(),
      started_at: moment.optional(),
      completed_at: moment.optional(),
    }),
    certificate: z
      .object({
        certificate_id: z.string().max(255).optional(),
        certificate_url: url.optional(),
        issued_at: moment.optional(),
      })
      .optional(),
  }),
  itslearning_webhook: z.object({
    eventType: z.enum(["CourseEnrollment", "CourseProgress", "CourseCompletion"]),
    eventId: text(255),
    timestamp: moment,
    userId: text(255),
    userEmail: z.email(),
    courseId: text(255),
    courseName: text(255),
    status,
    progressPercentage: percent.optional(),
    startDate: moment.optional(),
    completionDate: moment.optional(),
    certificateUrl: url.optional(),
  }),
  generic_webhook: z.object({
    event_type: text(100),
    event_id: text(255),
    timestamp: moment,
    provider: text(100),
    user_identifier: text(255),
    course_id: text(255),
    course_name: text(255),
    status,
    progress_percent: percent.optional(),
    started_at: moment.optional(),
    completed_at: moment.optional(),
    metadata: metadata.optional(),
  }),
};

export function judgeOf(name) {
  const schema = schemas[name];
  return (value) => {
    const judged = schema.safeParse(value);
    if (judged.success) return 0;
    return judged.error.issues.map(({ path, code, message }) => ({ path, code, message })).length;
  };
}

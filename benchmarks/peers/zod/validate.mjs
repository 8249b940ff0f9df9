// Zod 4 over csv-parse: node validate.mjs CSV OUT. Bad rows go to OUT as JSON lines; it prints what it counted.
//
// The schema is language_session 1.1 said in Zod. An empty cell is absent, as `undefined`. Zod's own e-mail check
// takes the same addresses of the data; its date-time check wants a zone and looks at the calendar.
import { createReadStream, createWriteStream } from "node:fs";
import { once } from "node:events";
import { parse } from "csv-parse";
import * as z from "zod";

const isJson = (text) => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

const moment = z.union([z.iso.datetime({ offset: true }), z.iso.date()]);
const whole = z.string().regex(/^[+-]?[0-9]+$/).refine((text) => +text >= 1 && +text <= 480);
const decimal = z
  .string()
  .regex(/^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$/)
  .refine((text) => +text >= 0 && +text <= 1);
const columns = {
  session_id: z.string().min(1).max(255),
  participant_email: z.email().max(255),
  volunteer_email: z.email().max(255),
  scheduled_at: moment,
  completed_at: moment.optional(),
  duration_minutes: whole.optional(),
  rating: decimal.optional(),
  feedback_text: z.string().max(5000).optional(),
  language_level: z.enum(["A1", "A2", "B1", "B2", "C1", "C2"]).optional(),
  topics: z.string().max(1000).optional(),
  metadata: z.string().max(2000).refine(isJson).optional(),
};
const schema = z.object(columns);

const [input, output] = process.argv.slice(2);
const bad = createWriteStream(output);
const records = createReadStream(input, { highWaterMark: 1 << 20 }).pipe(parse({ bom: true }));
let header = null;
let rows = 0;
let quarantined = 0;
for await (const record of records) {
  if (header === null) {
    header = record;
    continue;
  }
  rows += 1;
  const row = {};
  for (let place = 0; place < header.length; place += 1) {
    if (record[place] !== "") row[header[place]] = record[place];
  }
  const judged = schema.safeParse(row);
  if (judged.success) continue;
  quarantined += 1;
  const errors = judged.error.issues.map(({ path, message }) => ({ field: path[0], message, value: row[path[0]] }));
  const line = JSON.stringify({ rowNumber: rows, rawData: row, errors }) + "\n";
  if (!bad.write(line)) await once(bad, "drain");
}
bad.end();
await once(bad, "finish");
console.log(JSON.stringify({ rows, quarantined }));

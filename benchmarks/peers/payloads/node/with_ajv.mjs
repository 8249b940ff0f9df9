// Ajv, with all errors and the formats of ajv-formats in their full mode.
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";

const ajv = new Ajv2020({ allErrors: true, strict: false });
formats.default(ajv, { mode: "full" });

export function judgeOf(_name, document) {
  const validate = ajv.compile(document);
  return (value) => {
    if (validate(value)) return 0;
    return validate.errors.map(({ instancePath, keyword, message }) => ({ instancePath, keyword, message })).length;
  };
}

// Holds OpenAPI documents to the specification and to Spectral's rules for it: node openapi.js FILE…
// Whatever is found fails and is printed with its line.
import { readFile } from "node:fs/promises";
import core from "@stoplight/spectral-core";
import parsers from "@stoplight/spectral-parsers";
import rulesets from "@stoplight/spectral-rulesets";

const severities = ["error", "warning", "info", "hint"];

// What the rules would rather have: why it is not so.
const accepted = new Map([
  ["contact-properties", "the document belongs to a repository, not to a person"],
  ["info-contact", "the same"],
  ["license-url", "OpenAPI 3.1 takes the license's identifier instead"],
  ["openapi-tags-alphabetical", "the tags come in the order of an order's way"],
]);

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error("usage: node openapi.js FILE…");
  process.exit(2);
}

const spectral = new core.Spectral();
spectral.setRuleset({ extends: [[rulesets.oas, "all"]] });

let failed = false;
for (const file of files) {
  // JSON Schema's patterns are ECMAScript's with the flag u (2020-12, 6.4). Spectral compiles them without it, and so refuses
  // ranges beyond U+FFFF: it gets them without. Tests of Go and of the page hold the whole patterns to text.json.
  const text = (await readFile(file, "utf8")).replace(/\\U[0-9a-f]{8}(-\\U[0-9a-f]{8})?/g, "");
  const document = new core.Document(text, parsers.Yaml, file);
  const findings = (await spectral.run(document)).filter(({ code }) => !accepted.has(String(code)));
  for (const { range, severity, code, path, message } of findings) {
    console.error(`${file}:${range.start.line + 1}: ${severities[severity]} ${code}: ${message} (${path.join(".")})`);
  }
  failed ||= findings.length > 0;
  const { openapi, paths } = document.data;
  console.log(`${file}: OpenAPI ${openapi}, ${Object.keys(paths).length} paths`);
}
process.exit(failed ? 1 : 0);

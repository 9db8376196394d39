// Parses and validates AsyncAPI documents with the reference parser: node asyncapi.js FILE…
// An error or a warning fails; each is printed with its line.
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const severities = ["error", "warning", "info", "hint"];

// What the parser would only suggest: why it is not taken up.
const accepted = new Map([
  ["asyncapi-latest-version", "the document stays on AsyncAPI 3.0, which every tool reads"],
]);

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error("usage: node asyncapi.js FILE…");
  process.exit(2);
}

let failed = false;
for (const file of files) {
  const source = await readFile(file, "utf8");
  const { document, diagnostics } = await new Parser().parse(source, { source: file });
  const findings = diagnostics.filter(({ code }) => !accepted.has(String(code)));
  for (const { range, severity, code, path, message } of findings) {
    console.error(`${file}:${range.start.line + 1}: ${severities[severity]} ${code}: ${message} (${path.join(".")})`);
  }
  if (document === undefined || findings.length > 0) {
    failed = true;
    continue;
  }
  const messages = document.allMessages().all().length;
  console.log(`${file}: AsyncAPI ${document.version()}, ${document.allChannels().all().length} channels, ${messages} messages`);
}
process.exit(failed ? 1 : 0);

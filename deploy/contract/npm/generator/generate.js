// Writes the types of a JSON Schema file: node generate.js FROM TO.
const fs = require("node:fs");
const { compile } = require("json-schema-to-typescript");

const [source, target] = process.argv.slice(2);

async function main() {
  const text = await compile(JSON.parse(fs.readFileSync(source, "utf8")), "Unused", {
    bannerComment: "",
    unreachableDefinitions: true,
    strictIndexSignatures: true,
  });
  const where = "This interface was referenced by `Unused`'s JSON-Schema\n \\* via the `\\w+` \"\\w+\"\\.\n";
  const clean = text
    .replace(new RegExp(` \\*\n \\* ${where}`, "g"), "")
    .replace(new RegExp(`/\\*\\*\n \\* ${where} \\*/\n`, "g"), "")
    .replace(/export interface Unused \{\}\n/, "");
  fs.writeFileSync(target, clean);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

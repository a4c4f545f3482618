// Applies JSON Patches with fast-json-patch, for the tests of package policy.
// In, one JSON value a line: {"doc": any, "patch": [operations]}. Out, one a line: {"doc": any}, or {"error": text} if the patch does not apply.
import { createInterface } from 'node:readline'
import patching from 'fast-json-patch'

function apply({ doc, patch }) {
  try {
    return { doc: patching.applyPatch(doc, patch, true).newDocument }
  } catch (e) {
    return { error: String(e.name) }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(apply(JSON.parse(line))) + '\n')
}

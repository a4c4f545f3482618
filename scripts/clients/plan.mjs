// What the JavaScript clients share: options, and how they print what happens.
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

export const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

// run calls request with the options of the command line. With --plan it does so
// for each line of stdin, a JSON object whose fields win over those options and
// may be headers besides: {"mode":"once","headers":{"x-mock-fault":"status=429"}}.
// What request throws is printed, with what describe returns for it; the exit status
// is 1 then.
export async function run(options, request, describe) {
  const { values } = parseArgs({
    options: { ...options, plan: { type: "boolean", default: false } },
  });
  const attempt = async (wish) => {
    try {
      await request({ ...values, ...wish });
    } catch (err) {
      say({ type: "error", ...describe(err), message: String(err.message ?? err) });
      process.exitCode = 1;
    }
  };
  if (!values.plan) return attempt({});
  for await (const line of createInterface({ input: process.stdin })) await attempt(JSON.parse(line));
}

// A WebSocket peer made of npm's ws, for weir's tests: see ws_peer.py, which does
// the same with two packages for Python.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { createInterface } from 'node:readline';
import { WebSocket, WebSocketServer } from 'ws';

const LIMIT = 60_000; // ms, for what must come

function describe(data, isBinary) {
  if (data.length > 200) {
    const sum = createHash('sha256').update(data).digest('hex').slice(0, 16);
    return `${isBinary ? 'binary' : 'text'} ${data.length} ${sum}`;
  }
  return isBinary ? `binary ${data.toString('hex')}` : `text ${data}`;
}

// Peer queues what happens to a WebSocket, so that steps can wait for it.
class Peer {
  constructor(ws) {
    this.ws = ws;
    this.report = [];
    this.queue = [];
    this.wake = () => {};
    const add = (event) => (this.queue.push(event), this.wake());
    ws.on('message', (data, isBinary) => add({ kind: 'message', text: describe(data, isBinary), data, isBinary }));
    ws.on('pong', (data) => add({ kind: 'pong', text: `pong ${data}` }));
    ws.on('close', (code, reason) => add({ kind: 'closed', text: `closed ${code} ${reason}`.trim() }));
    ws.on('error', (err) => (this.error = err.message));
  }

  // next waits for an event of that kind; others before it are kept.
  async next(kind) {
    const until = Date.now() + LIMIT;
    for (;;) {
      const i = this.queue.findIndex((e) => e.kind === kind || e.kind === 'closed');
      if (i >= 0) return this.queue[i].kind === kind ? this.queue.splice(i, 1)[0] : this.queue[i];
      await new Promise((resolve, reject) => {
        this.wake = resolve;
        setTimeout(() => reject(new Error(`no ${kind} in time`)), until - Date.now()).unref();
      });
    }
  }

  async run(plan) {
    const { ws, report } = this;
    report.push(`open ${ws.protocol || '-'} ${Object.keys(ws._extensions ?? {}).length || /deflate/.test(ws.extensions) ? 'deflate' : '-'}`);
    for (const [op, a, b] of plan) {
      switch (op) {
        case 'text': ws.send(a); break;
        case 'binary': ws.send(Buffer.from(a, 'hex')); break;
        case 'big': ws.send(Buffer.from(Uint8Array.from({ length: a }, (_, i) => (i * i) >> 3))); break;
        case 'fragments': a.forEach((part, i) => ws.send(part, { binary: false, fin: i === a.length - 1 })); break;
        case 'ping': ws.ping(a); report.push((await this.next('pong')).text); break;
        case 'receive': report.push((await this.next('message')).text); break;
        case 'echo': {
          for (let e; (e = await this.next('message')).kind === 'message'; ) ws.send(e.data, { binary: e.isBinary });
          report.push((await this.next('closed')).text);
          break;
        }
        case 'close': ws.close(a, b); report.push((await this.next('closed')).text); break;
        case 'await': report.push((await this.next('closed')).text); break;
        case 'abort': ws.terminate(); break;
        case 'signal': console.log(JSON.stringify({ signal: a })); break;
        default: throw new Error(`no step ${op}`);
      }
    }
    return report;
  }

  async finish(name, plan) {
    let result;
    try {
      result = { name, report: await this.run(plan) };
    } catch (err) {
      result = { name, report: [...this.report, `failed: ${err.message} ${this.error ?? ''}`] };
    }
    console.log(JSON.stringify(result));
  }
}

// client connects and runs one plan.
function client({ name, url, protocols, deflate, plan }) {
  return new Promise((resolve) => {
    const ws = new WebSocket(url, protocols ?? [], { perMessageDeflate: !!deflate, rejectUnauthorized: false });
    const peer = new Peer(ws);
    ws.once('open', () => peer.finish(name, plan).then(resolve));
    ws.once('unexpected-response', (_, res) => {
      console.log(JSON.stringify({ name, report: [`refused ${res.statusCode}`] }));
      ws.terminate();
      resolve();
    });
    ws.once('error', (err) => {
      if (ws.readyState === WebSocket.CONNECTING) {
        console.log(JSON.stringify({ name, report: [`failed: ${err.message}`] }));
        resolve();
      }
    });
  });
}

// serve runs the plan that is in each request's query, and returns its port.
function serve(http) {
  const wss = new WebSocketServer({
    noServer: true,
    perMessageDeflate: { threshold: 0 },
    handleProtocols: (offered) => (offered.has('v2.chat') ? 'v2.chat' : false),
    maxPayload: 64 << 20,
  });
  http.on('upgrade', (req, socket, head) => {
    const query = new URL(req.url, 'http://localhost').searchParams;
    wss.handleUpgrade(req, socket, head, (ws) => new Peer(ws).finish(query.get('name'), JSON.parse(query.get('plan'))));
  });
  return new Promise((resolve) => http.listen(0, '127.0.0.1', () => resolve(http.address().port)));
}

if (process.argv[2] === 'server') {
  const [cert, key] = process.argv.slice(3).map((file) => readFileSync(file));
  console.log(JSON.stringify({ port: await serve(createServer()), secure: await serve(createSecureServer({ cert, key })) }));
  process.stdin.on('end', () => process.exit(0)).resume(); // the test has ended
} else {
  for await (const line of createInterface({ input: process.stdin })) await client(JSON.parse(line));
  process.exit(0);
}

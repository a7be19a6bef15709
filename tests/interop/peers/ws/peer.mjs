// SPDX-License-Identifier: Apache-2.0
// The ws library as a server and a client: README.md has what it takes and prints. The first word is the library's file.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

const BLOCK = Buffer.from(Array.from({ length: 65521 }, (_, i) => (31 * i + Math.floor(i / 251)) & 0xff));
const SIZES = [1, 125, 126, 65535, 65536, 65537, 1_000_000, 10_000_000];
const BULK = 100_000_000;
const MESSAGE = 1 << 20;
const SMALL = 1000;
const SUBPROTOCOL = "interop.strata";
const [CLIENT_CODE, SERVER_CODE] = [4002, 4001];

const [file, mode, ...words] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const WebSocket = require(file);

const pattern = (size) => Buffer.alloc(size, BLOCK);
const sum = (bytes) => createHash("sha256").update(bytes).digest();

function counted(order, size) {
  const bytes = Buffer.alloc(order.length + 8, order);
  bytes.writeBigUInt64BE(BigInt(size), order.length);
  return bytes;
}

function demand(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}

/** The borders of messages mean nothing: this reads across them. */
class Socket {
  constructor(raw) {
    this.raw = raw;
    this.kept = [];
    this.pongs = 0;
    this.closed = new Promise((resolve) => raw.on("close", (code) => resolve(code)));
    raw.on("message", (data) => { this.kept.push(data); this.wake?.(); });
    raw.on("close", () => { this.ended = true; this.wake?.(); });
    raw.on("error", (why) => console.error(String(why)));
    raw.on("pong", () => { this.pongs += 1; });
  }

  async some(most) {
    while (this.kept.length === 0) {
      demand(!this.ended, "the end is too early");
      await new Promise((resolve) => { this.wake = resolve; });
    }
    const first = this.kept[0];
    if (first.length <= most) return this.kept.shift();
    this.kept[0] = first.subarray(most);
    return first.subarray(0, most);
  }

  async exactly(size) {
    const parts = [];
    for (let left = size; left > 0; left -= parts.at(-1).length) parts.push(await this.some(left));
    return Buffer.concat(parts);
  }

  send(data, options = {}) {
    return new Promise((resolve, reject) => this.raw.send(data, options, (why) => (why ? reject(why) : resolve())));
  }

  /** As one message, or as one in three fragments. */
  async message(data, inFragments) {
    if (!inFragments) return this.send(data);
    const third = Math.ceil(data.length / 3);
    for (const [from, fin] of [[0, false], [third, false], [2 * third, true]]) {
      await this.send(data.subarray(from, fin ? data.length : from + third), { fin, binary: true });
    }
  }

  async expectClose(code) {
    const seen = await this.closed;
    demand(seen === code && this.kept.length === 0, `closed with ${seen} instead of ${code}, or bytes before`);
  }
}

async function answer(socket, inFragments) {
  const order = await socket.exactly(9);
  let left = Number(order.readBigUInt64BE(1));
  switch (String.fromCharCode(order[0])) {
    case "N":
      while (left > 0) {
        const piece = await socket.some(left);
        await socket.message(piece, inFragments);
        left -= piece.length;
      }
      break;
    case "U": {
      const digest = createHash("sha256");
      const size = left;
      while (left > 0) {
        const piece = await socket.some(left);
        digest.update(piece);
        left -= piece.length;
      }
      await socket.send(Buffer.concat([counted("", size), digest.digest()]));
      break;
    }
    case "D": {
      const all = pattern(left);
      for (let at = 0; at < left; at += MESSAGE) await socket.send(all.subarray(at, Math.min(left, at + MESSAGE)));
      break;
    }
    case "C":
      return socket.raw.close(left, "as asked");
    default:
      throw new Error("an unknown order");
  }
  socket.raw.close(1000);
}

function keepAlive(raw, milliseconds) {
  if (!milliseconds) return;
  const timer = setInterval(() => raw.readyState === WebSocket.OPEN && raw.ping("still there?"), milliseconds);
  raw.on("close", () => clearInterval(timer));
}

function serve(options) {
  const [host, port] = options.listen.split(":");
  const server = new WebSocket.WebSocketServer({
    host, port: Number(port), maxPayload: 0, perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  server.on("listening", () => console.log(`listening on ${server.address().address}:${server.address().port}`));
  server.on("connection", (raw) => {
    const socket = new Socket(raw);
    keepAlive(raw, options.keepAlive);
    answer(socket, options.fragments).catch((why) => console.error(String(why)));
    socket.closed.then((code) => console.log(JSON.stringify({ event: "closed", clean: ![1002, 1006, 1011].includes(code), code })));
  });
  process.on("SIGTERM", () => process.exit(0));
}

async function echo(socket, sizes, inFragments) {
  await socket.send(counted("N", sizes.reduce((total, size) => total + size, 0)));
  for (const size of sizes) {
    const sending = socket.message(pattern(size), inFragments);
    demand((await socket.exactly(size)).equals(pattern(size)), `the echo of ${size} bytes differs`);
    await sending;
  }
  await socket.expectClose(1000);
}

const scenarios = {
  messages: (socket) => echo(socket, SIZES, false),
  fragments: (socket) => echo(socket, SIZES, true),
  subprotocol(socket) {
    demand(socket.raw.protocol === SUBPROTOCOL, `the server chose ${socket.raw.protocol}`);
    return echo(socket, SIZES.slice(0, 3), false);
  },
  async "bulk-upload"(socket) {
    const all = pattern(BULK);
    await socket.send(counted("U", BULK));
    for (let at = 0; at < BULK; at += MESSAGE) await socket.send(all.subarray(at, Math.min(BULK, at + MESSAGE)));
    demand((await socket.exactly(40)).equals(Buffer.concat([counted("", BULK), sum(all)])), "the server sums otherwise");
    await socket.expectClose(1000);
  },
  async "bulk-download"(socket) {
    await socket.send(counted("D", BULK));
    demand((await socket.exactly(BULK)).equals(pattern(BULK)), "the bytes differ");
    await socket.expectClose(1000);
  },
  async pings(socket) {
    const order = counted("N", SMALL);
    await socket.send(order.subarray(0, 5));
    for (const payload of [Buffer.alloc(0), Buffer.from("1"), Buffer.alloc(125)]) {
      socket.raw.ping(payload);
      await sleep(50);
    }
    await sleep(2000);
    demand(socket.pongs >= 3, `${socket.pongs} pongs`);
    await socket.send(order.subarray(5));
    await socket.send(pattern(SMALL));
    demand((await socket.exactly(SMALL)).equals(pattern(SMALL)), "the echo differs");
    await socket.expectClose(1000);
  },
  async "server-code"(socket) {
    await socket.send(counted("C", SERVER_CODE));
    await socket.expectClose(SERVER_CODE);
  },
  async "client-code"(socket) {
    await socket.send(counted("N", SMALL));
    socket.raw.close(CLIENT_CODE, "as planned");
    await socket.expectClose(CLIENT_CODE);
  },
};

async function visit(options) {
  const offered = options.scenario === "subprotocol" ? [SUBPROTOCOL] : [];
  const raw = new WebSocket(`ws://${options.connect}/`, offered, { maxPayload: 0, perMessageDeflate: false });
  const socket = new Socket(raw);
  keepAlive(raw, options.keepAlive);
  await new Promise((resolve, reject) => { raw.on("open", resolve); raw.on("error", reject); });
  demand(scenarios[options.scenario], "no such scenario");
  await scenarios[options.scenario](socket);
}

function parse() {
  const options = { listen: "127.0.0.1:0", keepAlive: 0 };
  while (words.length > 0) {
    const word = words.shift();
    if (word === "--listen") options.listen = words.shift();
    else if (word === "--connect") options.connect = words.shift();
    else if (word === "--keep-alive") options.keepAlive = Number(words.shift());
    else if (word === "--fragments") options.fragments = true;
    else options.scenario = word;
  }
  return options;
}

if (mode === "version") console.log(`ws ${require(file.replace("index.js", "package.json")).version}`);
else if (mode === "server") serve(parse());
else if (mode === "client") visit(parse()).then(() => process.exit(0), (why) => { console.error(String(why)); process.exit(1); });
else process.exit(2);

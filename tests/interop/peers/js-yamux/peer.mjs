// SPDX-License-Identifier: Apache-2.0
// The yamux of js-libp2p as a server and a client: README.md has what it takes and prints.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { yamux } from "@chainsafe/libp2p-yamux";
import { logger } from "@libp2p/logger";
import { AbstractMultiaddrConnection } from "@libp2p/utils";

const BLOCK = Buffer.from(Array.from({ length: 65521 }, (_, i) => (31 * i + Math.floor(i / 251)) & 0xff));
const [SMALL, MEDIUM, BULK, AT_ONCE, RESET_AFTER] = [1000, 100_000, 100_000_000, 100, 1000];
const GREETING = Buffer.from("220 interop\r\n");
const MESSAGE = 64 * 1024;

// The library needs it, and Node 20 has none.
Promise.withResolvers ??= function withResolvers() {
  const made = {};
  made.promise = new this((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};

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

/** A TCP socket as the library wants its carrier. */
class Carrier extends AbstractMultiaddrConnection {
  constructor(socket, direction) {
    super({ direction, log: logger("interop") });
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes) => this.onData(bytes));
    socket.on("drain", () => this.safeDispatchEvent("drain"));
    socket.on("error", (why) => { this.failure = why; });
    socket.on("close", () => this.onTransportClosed(this.failure));
  }

  sendData(list) {
    let canSendMore = true;
    for (const piece of list) canSendMore = this.socket.write(Buffer.from(piece));
    return { sentBytes: list.byteLength, canSendMore };
  }

  async sendClose() { this.socket.end(); }
  sendReset() { this.socket.resetAndDestroy(); }
  sendPause() { this.socket.pause(); }
  sendResume() { this.socket.resume(); }
}

class Session {
  constructor(socket, direction, options) {
    this.carrier = new Carrier(socket, direction);
    const interval = options.keepAlive ? { keepAliveInterval: options.keepAlive } : {};
    this.muxer = yamux(interval)().createStreamMuxer(this.carrier);
    this.closed = new Promise((resolve) => { this.carrier.addEventListener("close", (event) => resolve(event.error)); });
  }

  async open(order = "") {
    const stream = new Stream(await this.muxer.createStream());
    if (order.length > 0) await stream.write(Buffer.from(order));
    return stream;
  }

  async end() {
    await this.muxer.close();
    await this.carrier.close();
  }
}

class Stream {
  constructor(raw) {
    this.raw = raw;
    this.kept = [];
    raw.addEventListener("message", (event) => { this.kept.push(Buffer.from(event.data.subarray())); this.wake?.(); });
    raw.addEventListener("end", () => { this.ended = true; this.wake?.(); });
    raw.addEventListener("close", (event) => { this.ended = true; this.failure = event.error; this.wake?.(); });
  }

  /** Empty at the end. */
  async some(most) {
    while (this.kept.length === 0) {
      if (this.failure) throw this.failure;
      if (this.ended) return Buffer.alloc(0);
      await new Promise((resolve) => { this.wake = resolve; });
    }
    const first = this.kept[0];
    if (first.length <= most) return this.kept.shift();
    this.kept[0] = first.subarray(most);
    return first.subarray(0, most);
  }

  async exactly(size) {
    const parts = [];
    for (let left = size; left > 0; left -= parts.at(-1).length) {
      parts.push(await this.some(left));
      demand(parts.at(-1).length > 0, "the end is too early");
    }
    return Buffer.concat(parts);
  }

  async write(bytes) {
    for (let at = 0; at < bytes.length; at += MESSAGE) {
      if (!this.raw.send(bytes.subarray(at, at + MESSAGE))) await this.raw.onDrain();
    }
  }

  /** The number of bytes up to the end or to `limit`, and their hash. */
  async digest(limit = Infinity) {
    const hash = createHash("sha256");
    let left = limit;
    for (let piece; left > 0 && (piece = await this.some(left)).length > 0; left -= piece.length) {
      hash.update(piece);
      this.read = (this.read ?? 0) + piece.length;
    }
    return { size: this.read ?? 0, hash: hash.digest() };
  }

  async finish() { await this.raw.close(); }
  reset() { this.raw.abort(new Error("as asked")); }
}

async function echoBack(stream, size) {
  for (let piece, left = size; left > 0 && (piece = await stream.some(left)).length > 0; left -= piece.length) await stream.write(piece);
}

async function answer(session, stream, options) {
  if (options.greet) await stream.write(GREETING);
  const order = String.fromCharCode((await stream.exactly(1))[0]);
  const size = "NUD".includes(order) ? Number((await stream.exactly(8)).readBigUInt64BE(0)) : Infinity;
  if (order === "E" || order === "N") {
    await echoBack(stream, size);
  } else if (order === "U" || order === "H") {
    const got = await stream.digest(size);
    await stream.write(Buffer.concat([counted("", got.size), got.hash]));
  } else if (order === "D") {
    await stream.write(pattern(size));
  } else if (order === "R") {
    await stream.write(pattern(RESET_AFTER));
    return stream.reset();
  } else if (order === "G") {
    return session.end();
  } else {
    throw new Error("an unknown order");
  }
  await stream.finish();
}

function serve(options) {
  const server = net.createServer((socket) => {
    const session = new Session(socket, "inbound", options);
    session.muxer.addEventListener("stream", (event) => {
      answer(session, new Stream(event.detail), options).catch((why) => console.error(`a stream ended: ${why}`));
    });
    session.closed.then((error) => {
      if (error) console.error(`closed: ${error}`);
      console.log(JSON.stringify({ event: "closed", clean: !error }));
    });
  });
  const [host, port] = options.listen.split(":");
  server.listen(Number(port), host, () => console.log(`listening on ${server.address().address}:${server.address().port}`));
  process.on("SIGTERM", () => process.exit(0));
}

async function expectSum(stream, size) {
  const got = await stream.digest();
  demand(got.size === size && got.hash.equals(sum(pattern(size))), `${got.size} bytes of ${size}, or others`);
}

async function expectEcho(stream, size) {
  await stream.write(pattern(size));
  demand((await stream.exactly(size)).equals(pattern(size)), "the echo differs");
}

async function finishAndExpectEnd(stream) {
  await stream.finish();
  demand((await stream.some(1)).length === 0, "bytes after the last");
}

async function echoOnce(session, size) {
  const stream = await session.open("E");
  const coming = expectSum(stream, size);
  await stream.write(pattern(size));
  await stream.finish();
  await coming;
}

async function uploaded(session, order, size) {
  const stream = await session.open(order);
  await stream.write(pattern(size));
  await stream.finish();
  const wanted = Buffer.concat([counted("", size), sum(pattern(size))]);
  demand((await stream.exactly(wanted.length)).equals(wanted), "the server counts or sums otherwise");
  demand((await stream.some(1)).length === 0, "bytes after the last");
}

const scenarios = {
  echo: (session) => echoOnce(session, SMALL),
  "client-closes": (session) => echoOnce(session, SMALL),
  many: (session) => Promise.all(Array.from({ length: AT_ONCE }, () => echoOnce(session, MEDIUM))),
  upload: (session) => uploaded(session, counted("U", BULK), BULK),
  "half-close": (session) => uploaded(session, "H", 3 * MEDIUM),
  async download(session) {
    const stream = await session.open(counted("D", BULK));
    await stream.finish();
    await expectSum(stream, BULK);
  },
  async "server-resets"(session) {
    const stream = await session.open("R");
    const failure = await stream.digest().then(() => undefined, (why) => why);
    demand(failure?.name === "StreamResetError" && (stream.read ?? 0) <= RESET_AFTER, `no reset, but ${failure}`);
    await echoOnce(session, SMALL);
  },
  async "client-resets"(session) {
    const stream = await session.open("E");
    await expectEcho(stream, SMALL);
    stream.reset();
    await echoOnce(session, SMALL);
  },
  async "server-first"(session) {
    const stream = await session.open();
    demand((await stream.exactly(GREETING.length)).equals(GREETING), "another greeting");
    await stream.write(Buffer.from("E"));
    await expectEcho(stream, SMALL);
    await finishAndExpectEnd(stream);
  },
  async idle(session) {
    const stream = await session.open("E");
    await expectEcho(stream, SMALL);
    await sleep(2000);
    await expectEcho(stream, SMALL);
    await finishAndExpectEnd(stream);
    await echoOnce(session, SMALL);
  },
  async "server-closes"(session) {
    await echoOnce(session, SMALL);
    await session.open("G");
    const ended = await Promise.race([session.closed.then(() => true), sleep(5000).then(() => false)]);
    demand(ended, "the session did not end");
    const opened = await session.open().then(() => true, () => false);
    demand(!opened, "a stream was opened on a closed session");
  },
};

async function visit(options) {
  const [host, port] = options.connect.split(":");
  const socket = net.connect(Number(port), host);
  await new Promise((resolve, reject) => { socket.once("connect", resolve); socket.once("error", reject); });
  demand(scenarios[options.scenario], "no such scenario");
  const session = new Session(socket, "outbound", options);
  await scenarios[options.scenario](session);
  if (options.scenario !== "server-closes") await session.end();
}

function parse(words) {
  const options = { listen: "127.0.0.1:0", keepAlive: 0 };
  while (words.length > 0) {
    const word = words.shift();
    if (word === "--listen") options.listen = words.shift();
    else if (word === "--connect") options.connect = words.shift();
    else if (word === "--keep-alive") options.keepAlive = Number(words.shift());
    else if (word === "--greet") options.greet = true;
    else options.scenario = word;
  }
  return options;
}

const [mode, ...words] = process.argv.slice(2);
if (mode === "version") {
  const file = new URL("./node_modules/@chainsafe/libp2p-yamux/package.json", import.meta.url);
  console.log(`js-yamux ${createRequire(import.meta.url)(file.pathname).version}`);
} else if (mode === "server") {
  serve(parse(words));
} else if (mode === "client") {
  visit(parse(words)).then(() => process.exit(0), (why) => { console.error(String(why)); process.exit(1); });
} else {
  process.exit(2);
}

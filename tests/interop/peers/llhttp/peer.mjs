// SPDX-License-Identifier: Apache-2.0
// llhttp, as undici carries it in WebAssembly, as a reader of heads and bodies: README.md has what it takes and prints.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const REQUEST = 1
const RESPONSE = 2
const OK = 0
const PAUSED = 21
const PAUSED_UPGRADE = 22
const SKIP_BODY = 1
const UPGRADED = 2
// Of llhttp_t on a machine of 32 bits, which knows more than its functions tell; checkLayout() tries them.
const CONTENT_LENGTH_AT = 32
const FLAGS_AT = 50
const CHUNKED = 1 << 3
const CONTENT_LENGTH = 1 << 5

const library = createRequire(process.argv[2])
const wasm = library('./lib/llhttp/llhttp-wasm.js')
let reading

const instance = new WebAssembly.Instance(new WebAssembly.Module(wasm), {
  env: {
    wasm_on_message_begin: () => OK,
    wasm_on_url: (_, at, size) => reading.onTarget(at, size),
    wasm_on_status: (_, at, size) => reading.onReason(at, size),
    wasm_on_header_field: (_, at, size) => reading.onName(at, size),
    wasm_on_header_value: (_, at, size) => reading.onValue(at, size),
    wasm_on_headers_complete: () => reading.onHead(),
    wasm_on_body: (_, at, size) => reading.onBody(at, size),
    wasm_on_message_complete: () => reading.onEnd()
  }
})
const llhttp = instance.exports
const octets = (at, size) => Buffer.from(llhttp.memory.buffer, at, size)
const text = (at) => {
  const memory = new Uint8Array(llhttp.memory.buffer)
  return Buffer.from(memory.subarray(at, memory.indexOf(0, at))).toString()
}

class Reading {
  constructor (kind, exchange, input) {
    this.isRequest = kind === 'request'
    this.exchange = exchange
    this.input = input
    this.messages = []
    this.parser = llhttp.llhttp_alloc(this.isRequest ? REQUEST : RESPONSE)
    this.buffer = llhttp.malloc(input.length + 1)
    octets(this.buffer, input.length).set(input)
    this.clear()
  }

  clear () {
    this.target = Buffer.alloc(0)
    this.reason = Buffer.alloc(0)
    this.fields = []
    this.message = null
  }

  // A piece of a text may be told in several calls; that of a name never is, when all the input is there.
  onTarget (at, size) { this.target = Buffer.concat([this.target, octets(at, size)]); return OK }
  onReason (at, size) { this.reason = Buffer.concat([this.reason, octets(at, size)]); return OK }
  onName (at, size) {
    if (!this.message) this.fields.push([Buffer.from(octets(at, size)), Buffer.alloc(0)])
    return OK
  }

  onValue (at, size) {
    if (this.message) return OK // of a trailer
    const field = this.fields[this.fields.length - 1]
    field[1] = Buffer.concat([field[1], octets(at, size)])
    return OK
  }

  start () {
    const version = `${llhttp.llhttp_get_http_major(this.parser)}.${llhttp.llhttp_get_http_minor(this.parser)}`
    if (!this.isRequest) return [String(llhttp.llhttp_get_status_code(this.parser)), this.reason.toString('hex'), version]
    const method = Buffer.from(text(llhttp.llhttp_method_name(llhttp.llhttp_get_method(this.parser))))
    return [method.toString('hex'), this.target.toString('hex'), version]
  }

  framing () {
    const memory = new DataView(llhttp.memory.buffer)
    const flags = memory.getUint16(this.parser + FLAGS_AT, true)
    if (flags & CHUNKED) return ['chunked', 0]
    if (flags & CONTENT_LENGTH) return ['length', String(memory.getBigUint64(this.parser + CONTENT_LENGTH_AT, true))]
    return [llhttp.llhttp_message_needs_eof(this.parser) ? 'until_close' : 'none', 0]
  }

  // What llhttp is told here is what Node tells it: it cannot know what a response answers.
  onHead () {
    const status = llhttp.llhttp_get_status_code(this.parser)
    const start = this.start()
    const isConnect = this.isRequest ? start[0] === Buffer.from('CONNECT').toString('hex')
      : this.exchange === 'connect' && status >= 200 && status < 300
    const isTunnel = isConnect || (!this.isRequest && status === 101)
    const isEmpty = !this.isRequest && (status < 200 || status === 204 || status === 304 || this.exchange === 'head')
    const [body, length] = isTunnel ? ['tunnel', 0] : isEmpty ? ['none', 0] : this.framing()
    this.message = {
      start,
      fields: this.fields.map(([name, value]) => [name.toString('hex'), value.toString('latin1').replace(/[ \t]+$/, '')])
        .map(([name, value]) => [name, Buffer.from(value, 'latin1').toString('hex')]),
      body,
      length,
      persistent: true,
      content: '',
      complete: false
    }
    this.messages.push(this.message)
    return isTunnel ? UPGRADED : isEmpty ? SKIP_BODY : OK
  }

  onBody (at, size) { this.message.content += octets(at, size).toString('hex'); return OK }

  onEnd () {
    this.message.complete = true
    this.message.persistent = this.message.body !== 'tunnel' && llhttp.llhttp_should_keep_alive(this.parser) !== 0
    return PAUSED
  }

  result (end, at, why = '') {
    const last = this.messages[this.messages.length - 1]
    if (last && last.ends === undefined) last.ends = at
    return { messages: this.messages, end, status: end === 'refused' ? 400 : 0, why }
  }

  // A request to switch is answered as one by a server that does not: it reads on.
  run () {
    for (let at = 0; ;) {
      const code = llhttp.llhttp_execute(this.parser, this.buffer + at, this.input.length - at)
      if (code === OK) return this.whenAllIsRead()
      at = llhttp.llhttp_get_error_pos(this.parser) - this.buffer
      if (code !== PAUSED && code !== PAUSED_UPGRADE) {
        return this.result('refused', at, text(llhttp.llhttp_get_error_reason(this.parser)))
      }
      if (this.message) {
        const { body, persistent, start } = this.message
        this.message.ends = at
        if (body === 'tunnel') return this.result('tunnel', at)
        if (!persistent) return this.result('closed', at)
        if (this.isRequest || Number(start[0]) >= 200) this.exchange = 'plain'
        this.clear()
      }
      if (code === PAUSED) llhttp.llhttp_resume(this.parser)
      else llhttp.llhttp_resume_after_upgrade(this.parser)
    }
  }

  whenAllIsRead () {
    const at = this.input.length
    if (!this.message) return this.result(this.leftOver() ? 'waiting' : 'clean', at)
    if (this.message.body !== 'until_close') return this.result('waiting', at)
    Object.assign(this.message, { complete: true, persistent: false })
    return this.result('closed', at)
  }

  leftOver () {
    const last = this.messages[this.messages.length - 1]
    return this.input.length > (last ? last.ends : 0)
  }

  end () {
    llhttp.free(this.buffer)
    llhttp.llhttp_free(this.parser)
  }
}

function read (kind, exchange, input) {
  reading = new Reading(kind, exchange, input)
  try {
    return reading.run()
  } finally {
    reading.end()
  }
}

function checkLayout () {
  const head = 'POST / HTTP/1.1\r\nHost: a\r\n'
  const [counted] = read('request', 'plain', Buffer.from(`${head}Content-Length: 70000000001\r\n\r\n`)).messages
  const [chunked] = read('request', 'plain', Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`)).messages
  if (counted.body !== 'length' || counted.length !== '70000000001' || chunked.body !== 'chunked') {
    console.error('llhttp_t is laid out otherwise than this program believes')
    process.exit(1)
  }
}

checkLayout()
if (process.argv[3] === 'version') {
  console.log(`llhttp of undici ${library('./package.json').version}`)
} else {
  for await (const line of createInterface({ input: process.stdin })) {
    const [kind, exchange, hex] = line.split(' ')
    console.log(JSON.stringify(read(kind, exchange, Buffer.from(hex, 'hex'))))
  }
}

// Calls grpc.testing.TestService until its input ends; see foreign_test.go.
const fs = require('fs');
const grpc = require('@grpc/grpc-js');

const [target, ca, cert, key] = process.argv.slice(2);
const same = (message) => message; // an empty message is no bytes
const method = (name, streams) => ({
  path: '/grpc.testing.TestService/' + name, requestStream: streams, responseStream: streams,
  requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same,
});
const Client = grpc.makeGenericClientConstructor(
  { unary: method('UnaryCall', false), duplex: method('FullDuplexCall', true) }, 'TestService');
const client = new Client(target,
  grpc.credentials.createSsl(fs.readFileSync(ca), fs.readFileSync(key), fs.readFileSync(cert)),
  {
    'grpc.ssl_target_name_override': 'localhost', 'grpc.default_authority': 'localhost',
    // No grpc.enable_retries of 0: grpc-js needs its transparent retries, which
    // are on by default. Node refuses calls that it holds when any GOAWAY comes.
    'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 100,
  });
const counts = { calls: 0, streams: 0, messages: 0, failed: 0, errors: [] };
const fail = (what, err) => { counts.failed++; if (counts.errors.length < 5) counts.errors.push(`${what}: ${err.message}`); };
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
let ended = false;

async function call() {
  for (; !ended; await pause(2)) {
    counts.calls++;
    await new Promise((done) => client.unary(Buffer.alloc(0), { deadline: Date.now() + 30000 },
      (err) => { if (err) fail('call', err); done(); }));
  }
}

async function stream() {
  while (!ended) {
    counts.streams++;
    let got = 0;
    const s = client.duplex({ deadline: Date.now() + 60000 });
    const over = new Promise((done) => {
      s.on('data', () => { got++; counts.messages++; });
      s.on('error', (err) => fail('stream', err));
      s.on('status', done);
    });
    for (let i = 0; i < 60; i++) { // 600 ms: drains begin inside it
      await pause(10);
      s.write(Buffer.alloc(0));
    }
    s.end();
    await over;
    if (got !== 60) fail('stream', new Error(`${got} messages of 60`));
  }
}

const work = Promise.all([call(), call(), stream()]);
console.log('version', require('@grpc/grpc-js/package.json').version);
process.stdin.resume();
process.stdin.on('end', async () => {
  ended = true;
  await work;
  console.log(JSON.stringify(counts));
  client.close();
});

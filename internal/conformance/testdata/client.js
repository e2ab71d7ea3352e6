// Makes a call of each kind to grpc.testing.TestService; see foreign_test.go.
const fs = require('fs');
const grpc = require('@grpc/grpc-js');

const [target, ca, cert, key] = process.argv.slice(2);
const same = (message) => message;
const method = (name, requestStream, responseStream) => ({
  path: '/grpc.testing.TestService/' + name, requestStream, responseStream,
  requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same,
});
const Client = grpc.makeGenericClientConstructor({
  unary: method('UnaryCall', false, false),
  collect: method('StreamingInputCall', true, false),
  spread: method('StreamingOutputCall', false, true),
  duplex: method('FullDuplexCall', true, true),
  nothing: method('Nothing', false, false),
}, 'TestService');
const client = new Client(target,
  grpc.credentials.createSsl(fs.readFileSync(ca), fs.readFileSync(key), fs.readFileSync(cert)),
  { 'grpc.ssl_target_name_override': 'localhost', 'grpc.default_authority': 'localhost' });
const options = () => ({ deadline: Date.now() + 30000 });
const sized = (n) => Buffer.from([0x12, 0x02, 0x08, n]); // StreamingOutputCallRequest: a response of n bytes
const carrying = (n) => Buffer.concat([Buffer.from([0x0a, n + 2, 0x12, n]), Buffer.alloc(n)]); // StreamingInputCallRequest: n bytes
const got = { Version: 'grpc-js ' + require('@grpc/grpc-js/package.json').version };
const settle = (done, failed) => (err, message) => (err ? failed(err) : done(message.toString('hex')));

async function main() {
  const metadata = new grpc.Metadata();
  metadata.set('x-grpc-test-echo-initial', 'initial');
  metadata.set('x-grpc-test-echo-trailing-bin', Buffer.from('0a0b00ff', 'hex'));
  await new Promise((done, failed) => {
    // SimpleRequest: a response of 3 bytes
    const call = client.unary(Buffer.from([0x10, 0x03]), metadata, options(), settle((hex) => { got.Unary = hex; }, failed));
    call.on('metadata', (m) => { got.Initial = m.get('x-grpc-test-echo-initial')[0]; });
    call.on('status', (s) => { got.Trailing = s.metadata.get('x-grpc-test-echo-trailing-bin')[0]?.toString('hex'); done(); });
  });
  got.ClientStream = await new Promise((done, failed) => {
    const call = client.collect(options(), settle(done, failed));
    call.write(carrying(2));
    call.write(carrying(4));
    call.end();
  });
  got.ServerStream = [];
  await new Promise((done, failed) => {
    client.spread(Buffer.concat([sized(1), sized(2)]), options())
      .on('data', (m) => got.ServerStream.push(m.toString('hex'))).on('error', failed).on('end', done);
  });
  got.Bidi = [];
  await new Promise((done, failed) => {
    const sizes = [1, 3];
    const call = client.duplex(options());
    const next = () => (sizes.length ? call.write(sized(sizes.shift())) : call.end());
    // Each request waits for the response to the one before.
    call.on('data', (m) => { got.Bidi.push(m.toString('hex')); next(); }).on('error', failed).on('end', done);
    next();
  });
  const text = Buffer.from('\t\u263a and \u00e4%\n');
  const status = Buffer.concat([Buffer.from([0x08, 0x09, 0x12, text.length]), text]); // EchoStatus: FAILED_PRECONDITION
  await new Promise((done) => {
    client.unary(Buffer.concat([Buffer.from([0x3a, status.length]), status]), options(),
      (err) => { got.Code = err?.code; got.Message = err?.details; done(); });
  });
  await new Promise((done) => {
    client.nothing(Buffer.alloc(0), options(), (err) => { got.Unknown = err?.code; done(); });
  });
  console.log(JSON.stringify(got));
  client.close();
}

main().catch((err) => { console.error(err); process.exit(1); });

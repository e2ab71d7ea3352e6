// Asks each server for its health; see foreign_test.go.
const fs = require('fs');
const grpc = require('@grpc/grpc-js');

const [ca, cert, key, ...targets] = process.argv.slice(2);
const same = (message) => message;
const Client = grpc.makeGenericClientConstructor({ check: {
  path: '/grpc.health.v1.Health/Check', requestStream: false, responseStream: false,
  requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same,
} }, 'Health');
let left = targets.length;
for (const target of targets) {
  const client = new Client(target, grpc.credentials.createSsl(fs.readFileSync(ca), fs.readFileSync(key), fs.readFileSync(cert)));
  client.check(Buffer.alloc(0), { deadline: Date.now() + 10000 }, (err, answer) => {
    if (err || answer.toString('hex') !== '0801') {
      console.error(err || answer);
      process.exit(1);
    }
    client.close();
    if (--left === 0) console.log('version', require('@grpc/grpc-js/package.json').version);
  });
}

// Answers that it serves, to clients with a certificate; see foreign_test.go.
const fs = require('fs');
const grpc = require('@grpc/grpc-js');

const [ca, cert, key] = process.argv.slice(2);
const same = (message) => message;
const server = new grpc.Server();
server.addService({ check: {
  path: '/grpc.health.v1.Health/Check', requestStream: false, responseStream: false,
  requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same,
} }, {
  check: (call, done) => {
    const trailer = new grpc.Metadata();
    const peer = call.getAuthContext().sslPeerCertificate;
    for (const name of (peer && peer.subjectaltname || '').split(', ')) trailer.add('peer', name.replace(/^(URI|DNS):/, ''));
    done(null, Buffer.from([8, 1]), trailer);
  },
});
const credentials = grpc.ServerCredentials.createSsl(fs.readFileSync(ca),
  [{ private_key: fs.readFileSync(key), cert_chain: fs.readFileSync(cert) }], true);
server.bindAsync('127.0.0.1:0', credentials, (err, port) => {
  if (err) throw err;
  console.log(port);
});
process.stdin.on('end', () => process.exit(0)).resume();

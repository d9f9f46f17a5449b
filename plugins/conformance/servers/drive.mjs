// Passes lines between the conformance suite and a server of this folder that takes orders at a socket: the driver that
// `boxvault plugin check --people` names. Ends with its input.
import { createConnection } from "node:net";

const [path] = process.argv.slice(2);
const socket = createConnection(path);
socket.on("error", (error) => {
  console.log(`failed: ${error.message}`);
  process.exit(1);
});
socket.on("close", () => process.exit());
socket.pipe(process.stdout);
process.stdin.pipe(socket);

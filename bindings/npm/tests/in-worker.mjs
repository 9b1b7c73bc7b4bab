// Runs the scenarios in a Worker: the control server's address comes with the request.
import * as tenure from "tenure";
import * as clients from "tenure/clients";
import * as locks from "tenure/locks";
import * as modes from "tenure/modes";

import { run } from "./scenarios.mjs";

export default {
  async fetch(request) {
    const url = (port) => `redis://127.0.0.1:${port}`;
    const control = new URL(request.url).searchParams.get("control");
    return Response.json(await run({ ...tenure, ...clients, locks, modes, plain: tenure }, { control, url }));
  },
};

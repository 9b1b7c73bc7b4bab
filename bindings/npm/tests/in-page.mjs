// Runs the scenarios in a page, through the bridge of the control server.
import * as tenure from "tenure";
import * as clients from "tenure/clients";
import * as locks from "tenure/locks";
import * as modes from "tenure/modes";

import { run } from "./scenarios.mjs";

window.runScenarios = (control) => {
  const url = (port) => `${control.replace("http", "ws")}${port}`;
  return run({ ...tenure, ...clients, locks, modes, plain: tenure }, { control, url });
};

// Operates a running application with a client that openapi-typescript has made of the document (api.ts) and openapi-fetch carries.
// Every name, state and field below is checked against the document by the compiler.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Worker = components["schemas"]["WorkerStatus"];

const client = createClient<paths>({
  baseUrl: process.env["PLBA_ADDRESS"]!,
  headers: { Authorization: `Bearer ${process.env["PLBA_TOKEN"]}` },
});
const name = "mail-polling";

function must<T>(what: string, answer: { data?: T; error?: components["schemas"]["Problem"] }): T {
  if (answer.data === undefined) throw new Error(`${what}: ${answer.error?.detail}`);
  return answer.data;
}

async function worker(): Promise<Worker> {
  return must("getWorker", await client.GET("/api/v1/workers/{name}", { params: { path: { name } } }));
}

const list = must("listWorkers", await client.GET("/api/v1/workers", { params: { query: { limit: 10 } } }));
console.log(list.workers.map((w) => `${w.name} (${w.kind})`).join(", "));

const paused = must("pauseWorker", await client.POST("/api/v1/workers/{name}/pause", { params: { path: { name } }, body: { reason: "typescript" } }));
console.log(paused.asked, paused.state, paused.by, paused.reason, (await worker()).paused === true);

const resumed = must("resumeWorker", await client.POST("/api/v1/workers/{name}/resume", { params: { path: { name } }, body: {} }));
console.log(resumed.asked, resumed.state, (await worker()).paused === true);

let operation = must("restartWorker", await client.POST("/api/v1/workers/{name}/restart", { params: { path: { name } }, body: { timeout: "10s" } }));
while (operation.state === "running") {
  operation = must("getOperation", await client.GET("/api/v1/operations/{id}", { params: { path: { id: operation.id } } }));
}
console.log(operation.asked, operation.state, operation.worker_receipt?.outcome);

const unknown = await client.GET("/api/v1/workers/{name}", { params: { path: { name: "nobody" } } });
console.log(unknown.response.status, unknown.error?.title, unknown.error?.detail);

const conflict = await client.POST("/api/v1/runtime/start", { body: {} });
console.log(conflict.response.status, conflict.error?.title, conflict.error?.allowed?.join());

const tasks = must("listTasks", await client.GET("/api/v1/queues/{name}/tasks", { params: { path: { name: "mails" }, query: { state: ["dead", "ready"] } } }));
console.log("tasks", tasks.tasks.length);

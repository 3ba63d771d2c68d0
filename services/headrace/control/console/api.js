// The REST API, as the console calls it: with its cookie, and the header that shows that no other site sent the request.

export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `HTTP ${status}`);
    this.status = status;
    this.code = problem.code;
  }
}

export async function call(method, path, body) {
  const headers = { "X-Headrace-Console": "1" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(path, {
    method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: AbortSignal.timeout(10_000),
  });
  const isJson = (response.headers.get("Content-Type") || "").includes("json");
  const answer = isJson && response.status !== 204 ? await response.json() : {};
  if (!response.ok) throw new ApiError(response.status, answer);
  return answer;
}

// Every stream, page by page.
export async function allStreams() {
  const streams = [];
  let cursor = null;
  do {
    const page = await call("GET", `/v1/streams?limit=200${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    streams.push(...page.streams);
    cursor = page.next_cursor;
  } while (cursor);
  return streams;
}

// The API's description, drawn from /openapi.json: nothing is fetched from anywhere else.

const METHODS = ["get", "post", "put", "patch", "delete"];
let spec;

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// The two marks that our texts use: `code` and **strong**.
function prose(text) {
  const block = make("div", { class: "body" });
  for (const paragraph of (text || "").split(/\n\s*\n/).filter(Boolean)) block.append(make("p", {}, ...inline(paragraph)));
  return block;
}

function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((piece) => {
    if (piece.startsWith("`")) return make("code", {}, piece.slice(1, -1));
    return piece.startsWith("**") ? make("strong", {}, piece.slice(2, -2)) : piece;
  });
}

function resolve(schema) {
  return schema && schema.$ref ? spec.components.schemas[schema.$ref.split("/").pop()] : schema;
}

function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  const either = schema.anyOf || schema.oneOf;
  if (either) return either.map(typeOf).join(" or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") return `list of ${typeOf(schema.items)}`;
  return (schema.type || "any") + (schema.format ? ` (${schema.format})` : "");
}

function limits(schema) {
  const parts = [];
  if (schema.default !== undefined && schema.default !== null) parts.push(`default ${JSON.stringify(schema.default)}`);
  if (schema.minimum !== undefined) parts.push(`at least ${schema.minimum}`);
  if (schema.maximum !== undefined) parts.push(`at most ${schema.maximum}`);
  if (schema.minLength !== undefined) parts.push(`at least ${schema.minLength} characters`);
  if (schema.maxLength !== undefined) parts.push(`at most ${schema.maxLength} characters`);
  return parts.join(", ");
}

// The object schemas behind a field, at any depth of lists and choices.
function objectsIn(schema) {
  const resolved = resolve(schema) || {};
  if (resolved.properties) return [resolved];
  const inner = [...(resolved.anyOf || []), ...(resolved.oneOf || []), ...(resolved.items ? [resolved.items] : [])];
  return inner.flatMap(objectsIn);
}

function fields(schema) {
  const table = make("table");
  for (const [name, field] of Object.entries(schema.properties)) {
    const required = (schema.required || []).includes(name);
    const about = make("td", {}, ...inline(field.description || resolve(field).description || ""));
    if (limits(field)) about.append(make("p", { class: "muted" }, limits(field)));
    for (const inner of objectsIn(field)) about.append(make("div", { class: "fields" }, fields(inner)));
    const type = make("small", { class: "muted" }, typeOf(field));
    table.append(make("tr", {}, make("td", {}, make("code", {}, name), required ? " *" : "", make("br"), type), about));
  }
  return table;
}

function parameters(list) {
  const schema = {
    properties: Object.fromEntries(list.map((one) => [one.name, { ...one.schema, description: `${one.description || ""} (${one.in})` }])),
    required: list.filter((one) => one.required).map((one) => one.name),
  };
  return [make("h3", {}, "Parameters"), fields(schema)];
}

function curl(method, path, body) {
  const lines = [`curl -X ${method.toUpperCase()} ${location.origin}${path}`, `  -H "Authorization: Bearer $HEADRACE_API_KEY"`];
  if (body) lines.push(`  -H "Content-Type: application/json"`, `  -d '${JSON.stringify(body)}'`);
  return make("pre", {}, lines.join(" \\\n"));
}

function operation(method, path, described) {
  const card = make("details", { class: "card", id: described.operationId });
  card.append(make("summary", {}, make("span", { class: `method ${method}` }, method.toUpperCase()), make("code", {}, path), described.summary));
  const body = make("div", { class: "body" }, prose(described.description));
  if (described.parameters) body.append(...parameters(described.parameters));
  const request = described.requestBody && resolve(described.requestBody.content["application/json"].schema);
  if (request) body.append(make("h3", {}, "Body"), fields(request));
  body.append(make("h3", {}, "Try"), curl(method, path, request && (request.examples || [])[0]));
  body.append(make("h3", {}, "Answers"));
  for (const [status, answer] of Object.entries(described.responses)) {
    const [content] = Object.values(answer.content || {});
    const type = content ? typeOf(content.schema) : "";
    const line = make("p", {}, make("strong", {}, status), ` ${answer.description} `, make("span", { class: "muted" }, type));
    body.append(line);
    if (status.startsWith("2") && content) body.append(make("div", { class: "fields" }, fields(resolve(content.schema))));
  }
  card.append(body);
  return card;
}

async function draw() {
  spec = await (await fetch("/openapi.json")).json();
  const page = document.getElementById("docs");
  page.append(make("h1", {}, `${spec.info.title} API ${spec.info.version}`), prose(spec.info.description));
  for (const tag of spec.tags) {
    page.append(make("h2", {}, tag.name), prose(tag.description));
    for (const [path, methods] of Object.entries(spec.paths)) {
      for (const method of METHODS.filter((one) => methods[one] && methods[one].tags.includes(tag.name))) {
        page.append(operation(method, path, methods[method]));
      }
    }
  }
  page.append(make("h2", {}, "Errors"), make("div", { class: "card" }, fields(spec.components.schemas.Problem)));
  const target = document.getElementById(location.hash.slice(1));
  if (target) target.open = true;
}

draw();
